-- Strikes executions from the limits they are in, unless they run. $1: ids.
DELETE FROM limit_holders
WHERE execution_id = ANY ($1) AND NOT EXISTS (
    SELECT FROM executions WHERE executions.id = limit_holders.execution_id AND executions.status = 'RUNNING'
)
