-- What runs with limits and is not noted in them. $1: how many.
SELECT id, limits FROM executions
WHERE lease_owner IS NOT NULL AND completed_at IS NULL AND status = 'RUNNING' AND limits IS NOT NULL
    AND NOT EXISTS (SELECT FROM limit_holders WHERE limit_holders.execution_id = executions.id AND runs)
LIMIT $1
