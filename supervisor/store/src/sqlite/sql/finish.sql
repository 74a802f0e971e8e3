-- The fence: only rows that are RUNNING under this attempt and owner change. ?1: a JSON array of endings.
UPDATE executions SET
    status = ending.status, result = ending.result, error_type = ending.error_type,
    error_message = ending.error_message, error_stack = ending.error_stack,
    duration_ms = ending.duration_ms, metrics = ending.metrics, end_cause = ending.end_cause,
    started_at = coalesce(ending.started_at, executions.started_at), completed_at = ending.completed_at,
    lease_expires_at = NULL
FROM (
    SELECT
        value ->> 'id' AS id, value ->> 'attempt' AS attempt, value ->> 'owner' AS owner,
        value ->> 'status' AS status, value ->> 'result' AS result, value ->> 'error_type' AS error_type,
        value ->> 'error_message' AS error_message, value ->> 'error_stack' AS error_stack,
        value ->> 'duration_ms' AS duration_ms, value ->> 'metrics' AS metrics,
        value ->> 'end_cause' AS end_cause,
        value ->> 'started_at' AS started_at, value ->> 'completed_at' AS completed_at
    FROM json_each(?1)
) AS ending
WHERE executions.id = ending.id AND executions.attempt = ending.attempt
    AND executions.lease_owner = ending.owner AND executions.status = 'RUNNING'
RETURNING executions.id, executions.attempt, executions.limits
