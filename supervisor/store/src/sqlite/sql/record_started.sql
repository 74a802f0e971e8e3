-- ?1: a JSON array of attempts with times, ?2: the owner.
UPDATE executions SET started_at = began.at
FROM (
    SELECT value ->> 'id' AS id, value ->> 'attempt' AS attempt, value ->> 'at' AS at FROM json_each(?1)
) AS began
WHERE executions.id = began.id AND executions.attempt = began.attempt
    AND executions.lease_owner = ?2 AND executions.status = 'RUNNING'
