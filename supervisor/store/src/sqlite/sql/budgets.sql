-- What must be known of rows that would go back. ?1: a JSON array of attempts with their owners.
SELECT
    executions.id, executions.attempt, attempts_charged, max_attempts,
    cancel_requested_at IS NOT NULL AS cancel_requested
FROM executions JOIN (
    SELECT value ->> 'id' AS id, value ->> 'attempt' AS attempt, value ->> 'owner' AS owner FROM json_each(?1)
) AS ending
    ON executions.id = ending.id AND executions.attempt = ending.attempt
        AND executions.lease_owner = ending.owner
WHERE executions.status = 'RUNNING'
