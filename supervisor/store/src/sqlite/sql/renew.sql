-- ?1: a JSON array of attempts, ?2: the owner, ?3: when the lease ends.
UPDATE executions SET lease_expires_at = ?3
FROM (SELECT value ->> 'execution_id' AS id, value ->> 'number' AS attempt FROM json_each(?1)) AS held
WHERE executions.id = held.id AND executions.attempt = held.attempt
    AND executions.lease_owner = ?2 AND executions.status = 'RUNNING'
RETURNING executions.id, executions.attempt, executions.cancel_requested_at IS NOT NULL AS cancel_requested,
    CASE WHEN executions.cancel_requested_at IS NOT NULL THEN (
        SELECT detail ->> 'reason' FROM execution_events
        WHERE execution_id = executions.id AND event = 'cancel_requested' ORDER BY execution_events.rowid LIMIT 1
    ) END AS cancel_reason
