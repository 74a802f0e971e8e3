-- What runs with limits and is not noted in them. ?1: how many.
SELECT id, limits FROM executions
WHERE status = 'RUNNING' AND limits IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM limit_holders WHERE limit_holders.execution_id = executions.id AND runs)
LIMIT ?1
