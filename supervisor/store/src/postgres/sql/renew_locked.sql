-- Waits: these were locked a moment ago, and a lease must not be lost to whoever only looks at its row. Gives up
-- before the server looks for a deadlock. $1 and $2: the attempts, $3: the owner, $4: the lease in microseconds.
WITH held AS (
    SELECT executions.id
    FROM executions JOIN UNNEST($1::uuid[], $2::integer[]) AS list (id, attempt)
        ON executions.id = list.id AND executions.attempt = list.attempt
    WHERE lease_owner = $3 AND status = 'RUNNING'
    ORDER BY executions.id
    FOR UPDATE OF executions
)
UPDATE executions SET lease_expires_at = clock_timestamp() + $4 * interval '1 microsecond'
FROM held
WHERE executions.id = held.id
RETURNING executions.id, executions.attempt, cancel_requested_at IS NOT NULL AS cancel_requested,
    CASE WHEN cancel_requested_at IS NOT NULL THEN (
        SELECT detail ->> 'reason' FROM execution_events
        WHERE execution_id = executions.id AND event = 'cancel_requested' ORDER BY number LIMIT 1
    ) END AS cancel_reason
