-- ?1: a JSON array of ids.
SELECT
    id, workflow_name, organization_id, queue, status, error_type, error_message, retry_of,
    request ->> '$.traceparent' AS traceparent, created_at, published_at, completed_at,
    (
        SELECT
            json_group_array(
                json_object(
                    'at_us', at,
                    'event', event,
                    'attempt', attempt,
                    'supervisor', supervisor,
                    'detail', json(detail)
                )
                ORDER BY rowid
            )
        FROM execution_events
        WHERE execution_id = executions.id
    ) AS events
FROM executions
WHERE id IN (SELECT value FROM json_each(?1))
