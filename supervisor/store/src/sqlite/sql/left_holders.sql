-- Who is noted in limits and does not run: what a crash left between an outcome and what follows it. ?1: how many.
SELECT limit_name AS name, key, execution_id AS id FROM limit_holders
WHERE runs AND NOT EXISTS (
    SELECT 1 FROM executions WHERE executions.id = limit_holders.execution_id AND executions.status = 'RUNNING'
)
LIMIT ?1
