-- $1: ids, $2: the owner.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, coalesce((SELECT request_text FROM execution_requests WHERE execution_id = executions.id), request_text, request::text) AS request,
    attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue
FROM executions
WHERE id = ANY ($1) AND status = 'RUNNING' AND lease_owner = $2
