-- $1: the id. A row that does not exist becomes a tombstone: no request, attempt 0, and nobody had locked it (xmax). One
-- that is asked to end already is left as it is.
INSERT INTO executions (
    id, status, error_type, error_message, max_attempts, cancel_requested_at, run_after, created_at, completed_at
)
SELECT $1, 'CANCELLED', 'CancelledError', 'cancelled on request', 1, now, now, now, now
FROM (SELECT clock_timestamp() AS now) AS clock
ON CONFLICT (id) DO UPDATE SET
    cancel_requested_at = coalesce(executions.cancel_requested_at, excluded.cancel_requested_at),
    status = CASE executions.status WHEN 'PENDING' THEN 'CANCELLED' ELSE executions.status END,
    error_type = CASE executions.status WHEN 'PENDING' THEN excluded.error_type END,
    error_message = CASE executions.status WHEN 'PENDING' THEN excluded.error_message END,
    completed_at = CASE executions.status WHEN 'PENDING' THEN excluded.completed_at END
WHERE executions.status = 'PENDING'
    OR (executions.status = 'RUNNING' AND executions.cancel_requested_at IS NULL)
RETURNING id, attempt, lease_owner, status, error_type, executions.xmax = 0 AS tombstone, limits
