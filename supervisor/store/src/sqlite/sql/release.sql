-- Strikes executions from the limits they are in, unless they run. ?1: a JSON array of ids. What waits again keeps its place
-- in the limits that count whom they let in.
DELETE FROM limit_holders
WHERE execution_id IN (SELECT value FROM json_each(?1)) AND NOT EXISTS (
    SELECT 1 FROM executions WHERE executions.id = limit_holders.execution_id AND (
        executions.status = 'RUNNING'
        OR executions.status = 'PENDING'
            AND EXISTS (SELECT 1 FROM limits WHERE limits.name = limit_holders.limit_name AND on_full <> 'wait')
    )
)
