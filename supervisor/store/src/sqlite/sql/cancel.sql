-- ?1: the id, ?2: now. A row that does not exist becomes a tombstone: no request, attempt 0. One that is asked to end
-- already is left as it is.
INSERT INTO executions (
    id, status, error_type, error_message, max_attempts, cancel_requested_at, run_after, created_at, completed_at
)
VALUES (?1, 'CANCELLED', 'CancelledError', 'cancelled on request', 1, ?2, ?2, ?2, ?2)
ON CONFLICT (id) DO UPDATE SET
    cancel_requested_at = coalesce(cancel_requested_at, excluded.cancel_requested_at),
    status = CASE status WHEN 'PENDING' THEN 'CANCELLED' ELSE status END,
    error_type = CASE status WHEN 'PENDING' THEN excluded.error_type END,
    error_message = CASE status WHEN 'PENDING' THEN excluded.error_message END,
    completed_at = CASE status WHEN 'PENDING' THEN excluded.completed_at END
WHERE status = 'PENDING' OR (status = 'RUNNING' AND cancel_requested_at IS NULL)
RETURNING id, attempt, lease_owner, status, error_type, request IS NULL AS tombstone, limits
