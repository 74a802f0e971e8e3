-- ?1: the id.
DELETE FROM executions
WHERE id = ?1 AND status = 'FAILED' AND attempt = 0
    AND error_type IN ('PendingNotFound', 'InvalidRequest', 'IdempotencyKeyReused')
RETURNING id
