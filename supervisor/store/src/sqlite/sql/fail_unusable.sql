-- ?1: the id, ?2: error type, ?3: error message, ?4: now.
INSERT INTO executions (
    id, status, error_type, error_message, max_attempts, run_after, created_at, completed_at
)
VALUES (?1, 'FAILED', ?2, ?3, 1, ?4, ?4, ?4)
ON CONFLICT (id) DO NOTHING
RETURNING id
