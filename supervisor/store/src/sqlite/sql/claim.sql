-- ?1: a JSON array of new executions, ?2: the owner, ?3: now, ?4: when the lease ends, ?5: a JSON array of the queues that
-- are served, and the empty text.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, parameters, request, status, attempt,
    attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, expires_at, lease_owner,
    lease_expires_at, run_after, created_at
)
SELECT
    value ->> 'id', value ->> 'workflow_id', value ->> 'workflow_name', value ->> 'organization_id',
    value ->> 'caller', value ->> 'parameters', value ->> 'request', 'RUNNING', 1,
    1, value ->> 'max_attempts', value ->> 'timeout_seconds', value ->> 'priority', value ->> 'retry_of',
    value ->> 'queue', coalesce(value ->> 'expires_at_us', ?3 + (value ->> 'expires_us')), ?2, ?4, ?3, ?3
FROM json_each(?1)
WHERE true
ON CONFLICT (id) DO UPDATE SET
    status = 'RUNNING', attempt = attempt + 1, attempts_charged = attempts_charged + 1,
    lease_owner = excluded.lease_owner, lease_expires_at = excluded.lease_expires_at
WHERE executions.status = 'PENDING' AND executions.waits_for IS NULL AND executions.limits IS NULL
    AND executions.run_after <= ?3
    AND (executions.expires_at IS NULL OR executions.expires_at > ?3 OR executions.attempts_charged > 0)
    AND coalesce(executions.queue, '') IN (SELECT value FROM json_each(?5))
RETURNING
    id, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged,
    max_attempts, timeout_seconds, priority, retry_of, queue
