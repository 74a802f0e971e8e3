-- $1: the id, $2: error type, $3: error message.
INSERT INTO executions (
    id, status, error_type, error_message, max_attempts, run_after, created_at, completed_at
)
SELECT $1, 'FAILED', $2, $3, 1, now, now, now FROM (SELECT clock_timestamp() AS now) AS clock
ON CONFLICT (id) DO NOTHING
RETURNING id
