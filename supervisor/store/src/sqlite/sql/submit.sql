-- ?1: a JSON array of new executions, ?2: now.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, parameters, request, status,
    max_attempts, timeout_seconds, priority, retry_of, queue, expires_at, run_after, created_at,
    limits, waits_for
)
SELECT
    value ->> 'id', value ->> 'workflow_id', value ->> 'workflow_name', value ->> 'organization_id',
    value ->> 'caller', value ->> 'parameters', value ->> 'request', 'PENDING',
    value ->> 'max_attempts', value ->> 'timeout_seconds', value ->> 'priority', value ->> 'retry_of',
    value ->> 'queue', coalesce(value ->> 'expires_at_us', ?2 + (value ->> 'expires_us')),
    max(?2 + (value ->> 'delay_us'), coalesce(value ->> 'run_at_us', 0)), ?2,
    value ->> 'limits', value ->> 'waits_for'
FROM json_each(?1)
WHERE true
ON CONFLICT (id) DO NOTHING
RETURNING id
