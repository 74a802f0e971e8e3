-- ?1: a JSON array of ids, ?2: the owner.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged,
    max_attempts, timeout_seconds, priority, retry_of, queue
FROM executions
WHERE id IN (SELECT value FROM json_each(?1)) AND status = 'RUNNING' AND lease_owner = ?2
