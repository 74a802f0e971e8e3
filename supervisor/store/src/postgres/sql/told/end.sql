    INSERT INTO webhook_deliveries (execution_id, webhook_id, event, created_at, due_at, url)
    SELECT written.id, webhooks.id, written.status, clock_timestamp(), clock_timestamp(), NULL
    FROM written
    JOIN webhooks
        ON NOT webhooks.is_paused
        AND (webhooks.events IS NULL OR webhooks.events ? written.status)
        AND (webhooks.workflows IS NULL OR webhooks.workflows ? written.workflow_name)
    UNION ALL
    -- And the one that the row of the workflow names: that of the organization comes before everybody's. Few do.
    SELECT written.id, webhooks.id, written.status, clock_timestamp(), clock_timestamp(), NULL
    FROM written
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN written.workflow_id IS NOT NULL THEN
                (SELECT workflows.webhook FROM workflows WHERE workflows.id = written.workflow_id AND is_active)
            ELSE (
                SELECT workflows.webhook FROM workflows
                WHERE workflows.name = written.workflow_name AND is_active
                    AND (workflows.organization_id IS NULL OR workflows.organization_id = written.organization_id)
                ORDER BY workflows.organization_id IS NULL, workflows.id
                LIMIT 1
            )
        END AS webhook
        OFFSET 0
    ) AS named
    JOIN webhooks
        ON webhooks.name = named.webhook AND NOT webhooks.is_paused
        AND (webhooks.events IS NULL OR webhooks.events ? written.status)
    WHERE (SELECT EXISTS (SELECT FROM workflows WHERE workflows.webhook IS NOT NULL))
    UNION ALL
    -- And to whom the request itself names. Few do.
    SELECT id, (webhook ->> 'id')::uuid, status, clock_timestamp(), clock_timestamp(), webhook ->> 'url'
    FROM written
    WHERE webhook ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AND webhook ->> 'url' IS NOT NULL
        AND (NOT webhook ? 'events' OR webhook -> 'events' ? status)
    ON CONFLICT DO NOTHING
)
SELECT id, attempt, limits FROM written
