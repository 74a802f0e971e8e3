-- Strikes executions from the limits they are in, unless they run. $1: ids. What waits again keeps its place in the limits
-- that count whom they let in.
WITH strict AS (
    SELECT holder.limit_name, holder.key, holder.execution_id
    FROM limit_holders AS holder
        JOIN limits ON limits.name = holder.limit_name
        JOIN executions ON executions.id = holder.execution_id
    WHERE holder.execution_id = ANY ($1) AND limits.on_full <> 'wait' AND executions.status = 'PENDING'
), back AS (
    UPDATE limit_holders SET runs = false
    WHERE (limit_name, key, execution_id) IN (SELECT limit_name, key, execution_id FROM strict)
)
DELETE FROM limit_holders
WHERE execution_id = ANY ($1)
    AND NOT EXISTS (
        SELECT FROM executions WHERE executions.id = limit_holders.execution_id AND executions.status = 'RUNNING'
    )
    AND (limit_name, key, execution_id) NOT IN (SELECT limit_name, key, execution_id FROM strict)
