-- ?1: a JSON array of ids, ?2: the owner, ?3: when the lease ends.
UPDATE executions SET
    status = 'RUNNING', attempt = attempt + 1, attempts_charged = attempts_charged + 1,
    lease_owner = ?2, lease_expires_at = ?3, started_at = NULL, waited_for = NULL
WHERE id IN (SELECT value FROM json_each(?1))
RETURNING
    id, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged,
    max_attempts, timeout_seconds, priority, retry_of, queue
