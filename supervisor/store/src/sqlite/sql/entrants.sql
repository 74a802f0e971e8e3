-- Who is let in to limits, the oldest first. ?1: a JSON array of the names of those that count everybody, ?2: one of those
-- that count for one key, with the key. Whether it waits or runs its row says.
SELECT
    holder.limit_name AS name, holder.key, executions.id, executions.status = 'RUNNING' AS runs,
    executions.cancel_requested_at IS NOT NULL AS is_asked, executions.organization_id
FROM (
    SELECT limit_name, key, execution_id FROM limit_holders WHERE limit_name IN (SELECT value FROM json_each(?1))
    UNION
    SELECT limit_name, limit_holders.key, execution_id
    FROM json_each(?2) AS asked
        CROSS JOIN limit_holders ON limit_name = asked.value ->> 'name' AND limit_holders.key = asked.value ->> 'key'
) AS holder CROSS JOIN executions ON executions.id = holder.execution_id
WHERE executions.status IN ('PENDING', 'RUNNING')
ORDER BY executions.created_at, executions.id
