-- What must be known of rows that would go back, locked. $1 and $2: attempts, $3: their owners.
SELECT
    executions.id, executions.attempt, attempts_charged, max_attempts,
    cancel_requested_at IS NOT NULL AS cancel_requested
FROM executions JOIN UNNEST($1::uuid[], $2::integer[], $3::uuid[]) AS ending (id, attempt, owner)
    ON executions.id = ending.id AND executions.attempt = ending.attempt AND lease_owner = ending.owner
WHERE status = 'RUNNING'
ORDER BY executions.id
FOR UPDATE OF executions
