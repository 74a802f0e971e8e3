-- Cancels rows that wait and asks those that run, of these. $1: ids. What somebody has locked is passed by; what is over or was
-- asked already is left as it is.
UPDATE executions SET
    cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
    status = CASE status WHEN 'PENDING' THEN 'CANCELLED' ELSE status END,
    error_type = CASE status WHEN 'PENDING' THEN 'CancelledError' END,
    error_message = CASE status WHEN 'PENDING' THEN 'cancelled on request' END,
    completed_at = CASE status WHEN 'PENDING' THEN clock_timestamp() END
WHERE id = ANY (ARRAY(
    SELECT id FROM executions
    WHERE id = ANY ($1) AND (status = 'PENDING' OR (status = 'RUNNING' AND cancel_requested_at IS NULL))
    FOR UPDATE SKIP LOCKED
))
RETURNING id, attempt, lease_owner, status, error_type, false AS tombstone, limits
