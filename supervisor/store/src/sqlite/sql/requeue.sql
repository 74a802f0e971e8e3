-- The same fence. ?1: a JSON array of rows that go back, ?2: now.
UPDATE executions SET
    status = 'PENDING', attempts_charged = attempts_charged - back.refund, max_attempts = back.max_attempts,
    lease_owner = NULL, lease_expires_at = NULL, started_at = NULL, run_after = ?2 + back.delay_us
FROM (
    SELECT
        value ->> 'id' AS id, value ->> 'attempt' AS attempt, value ->> 'owner' AS owner,
        value ->> 'refund' AS refund, value ->> 'max_attempts' AS max_attempts,
        value ->> 'delay_us' AS delay_us
    FROM json_each(?1)
) AS back
WHERE executions.id = back.id AND executions.attempt = back.attempt
    AND executions.lease_owner = back.owner AND executions.status = 'RUNNING'
RETURNING executions.id, executions.attempt, executions.limits
