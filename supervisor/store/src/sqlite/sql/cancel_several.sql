-- Cancels rows that wait and asks those that run, of these. ?1: a JSON array of ids, ?2: now. What is over or was asked already
-- is left as it is.
UPDATE executions SET
    cancel_requested_at = coalesce(cancel_requested_at, ?2),
    status = CASE status WHEN 'PENDING' THEN 'CANCELLED' ELSE status END,
    error_type = CASE status WHEN 'PENDING' THEN 'CancelledError' END,
    error_message = CASE status WHEN 'PENDING' THEN 'cancelled on request' END,
    completed_at = CASE status WHEN 'PENDING' THEN ?2 END
WHERE id IN (SELECT value FROM json_each(?1)) AND (status = 'PENDING' OR (status = 'RUNNING' AND cancel_requested_at IS NULL))
RETURNING id, attempt, lease_owner, status, error_type, 0 AS tombstone, limits
