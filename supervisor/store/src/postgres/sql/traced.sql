-- $1: ids.
SELECT
    id, workflow_name, organization_id, queue, status, error_type, error_message, retry_of,
    coalesce(
        (SELECT request_text FROM execution_requests WHERE execution_id = executions.id), request_text, request::text
    )::json ->> 'traceparent' AS traceparent, created_at, published_at, completed_at,
    (
        SELECT
            json_agg(
                json_build_object(
                    'at_us', (extract(EPOCH FROM at) * 1000000)::bigint,
                    'event', event,
                    'attempt', attempt,
                    'supervisor', supervisor,
                    'detail', detail
                )
                ORDER BY number
            )::text
        FROM execution_events
        WHERE execution_id = executions.id
    ) AS events
FROM executions
WHERE id = ANY ($1)
