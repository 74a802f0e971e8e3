-- $1 to $10: the columns of new executions, $11: their delays in microseconds.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, request, request_text, max_attempts,
    timeout_seconds, priority, retry_of, parameters, status, run_after, created_at
)
SELECT
    id, workflow_id, workflow_name, organization_id, caller, request, request_text, max_attempts,
    timeout_seconds, priority, retry_of, coalesce(request -> 'parameters', '{}'), 'PENDING', now + delay_us * interval '1 microsecond', now
FROM UNNEST(
    $1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[], $6::text[], $7::integer[], $8::double precision[],
    $9::integer[], $10::uuid[], $11::bigint[]
) AS new (
    id, workflow_id, workflow_name, organization_id, caller, request_text, max_attempts, timeout_seconds,
    priority, retry_of, delay_us
), (SELECT clock_timestamp() AS now) AS clock, LATERAL (SELECT request_text::jsonb AS request OFFSET 0) AS copy
ON CONFLICT (id) DO NOTHING
RETURNING id
