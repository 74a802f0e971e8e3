-- ?1: a JSON array of new executions, ?2: the owner, ?3: now, ?4: when the lease ends.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, parameters, request, status, attempt,
    attempts_charged, max_attempts, timeout_seconds, priority, retry_of, lease_owner, lease_expires_at,
    run_after, created_at
)
SELECT
    value ->> 'id', value ->> 'workflow_id', value ->> 'workflow_name', value ->> 'organization_id',
    value ->> 'caller', value ->> 'parameters', value ->> 'request', 'RUNNING', 1,
    1, value ->> 'max_attempts', value ->> 'timeout_seconds', value ->> 'priority', value ->> 'retry_of', ?2, ?4,
    ?3, ?3
FROM json_each(?1)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    status = 'RUNNING', attempt = attempt + 1, attempts_charged = attempts_charged + 1,
    lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at
WHERE executions.status = 'PENDING' AND executions.run_after <= ?3
RETURNING
    id, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged,
    max_attempts, timeout_seconds, priority, retry_of
