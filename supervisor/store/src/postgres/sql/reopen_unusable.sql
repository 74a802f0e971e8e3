-- $1: the id.
WITH reopened AS (
    DELETE FROM executions
    WHERE id = $1 AND status = 'FAILED' AND attempt = 0
        AND error_type IN ('PendingNotFound', 'InvalidRequest', 'IdempotencyKeyReused')
    RETURNING id
), asked AS (
    DELETE FROM execution_requests WHERE execution_id IN (SELECT id FROM reopened)
)
SELECT id FROM reopened
