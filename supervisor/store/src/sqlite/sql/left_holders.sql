-- Who is noted in limits and is in them no more: what a crash left between an outcome and what follows it. ?1: how many. One
-- that was let in and does not run is in them for as long as it waits.
SELECT limit_name AS name, key, execution_id AS id FROM limit_holders
WHERE NOT EXISTS (
    SELECT 1 FROM executions
    WHERE executions.id = limit_holders.execution_id
        AND (executions.status = 'RUNNING' OR (executions.status = 'PENDING' AND NOT runs))
)
LIMIT ?1
