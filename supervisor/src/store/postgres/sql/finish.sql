-- The fence: only rows that are RUNNING under this attempt and owner change. $1 to $12: the columns of endings.
UPDATE executions SET
    status = ending.status, result = ending.result, error_type = ending.error_type,
    error_message = ending.error_message, error_stack = ending.error_stack,
    duration_ms = ending.duration_ms, metrics = ending.metrics,
    started_at = coalesce(ending.started_at, executions.started_at), completed_at = ending.completed_at,
    lease_expires_at = NULL
FROM UNNEST(
    $1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::jsonb[], $6::text[], $7::text[], $8::text[],
    $9::bigint[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[]
) AS ending (
    id, attempt, owner, status, result, error_type, error_message, error_stack, duration_ms, metrics,
    started_at, completed_at
)
WHERE executions.id = ending.id AND executions.attempt = ending.attempt
    AND executions.lease_owner = ending.owner AND executions.status = 'RUNNING'
RETURNING executions.id
