-- $1: executions. Those that are over are told to whoever is to know.
INSERT INTO webhook_deliveries (execution_id, webhook_id, event, created_at, due_at, url)
SELECT executions.id, webhooks.id, executions.status, clock_timestamp(), clock_timestamp(), NULL
FROM executions
JOIN webhooks
    ON NOT webhooks.is_paused
    AND (webhooks.events IS NULL OR webhooks.events ? executions.status)
    AND (webhooks.workflows IS NULL OR webhooks.workflows ? executions.workflow_name)
WHERE executions.id = ANY ($1::uuid[]) AND executions.completed_at IS NOT NULL
UNION ALL
-- And the one that the row of the workflow names: that of the organization comes before everybody's. Few do.
SELECT executions.id, webhooks.id, executions.status, clock_timestamp(), clock_timestamp(), NULL
FROM executions
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN executions.workflow_id IS NOT NULL THEN
            (SELECT workflows.webhook FROM workflows WHERE workflows.id = executions.workflow_id AND is_active)
        ELSE (
            SELECT workflows.webhook FROM workflows
            WHERE workflows.name = executions.workflow_name AND is_active
                AND (workflows.organization_id IS NULL OR workflows.organization_id = executions.organization_id)
            ORDER BY workflows.organization_id IS NULL, workflows.id
            LIMIT 1
        )
    END AS webhook
    OFFSET 0
) AS named
JOIN webhooks
    ON webhooks.name = named.webhook AND NOT webhooks.is_paused
    AND (webhooks.events IS NULL OR webhooks.events ? executions.status)
WHERE (SELECT EXISTS (SELECT FROM workflows WHERE workflows.webhook IS NOT NULL))
    AND executions.id = ANY ($1::uuid[]) AND executions.completed_at IS NOT NULL
UNION ALL
-- And to whom the request itself names. Few do.
SELECT
    executions.id, (executions.webhook ->> 'id')::uuid, executions.status, clock_timestamp(), clock_timestamp(),
    executions.webhook ->> 'url'
FROM executions
WHERE executions.id = ANY ($1::uuid[]) AND executions.completed_at IS NOT NULL
    AND executions.webhook ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AND executions.webhook ->> 'url' IS NOT NULL
    AND (NOT executions.webhook ? 'events' OR executions.webhook -> 'events' ? executions.status)
ON CONFLICT DO NOTHING
