-- ?1: a JSON array of executions, ?2: now. Those that are over are told to whoever is to know. Joined in this order, so that
-- without a webhook nothing is looked at.
INSERT INTO webhook_deliveries (execution_id, webhook_id, event, created_at, due_at, url)
SELECT executions.id, webhooks.id, executions.status, ?2, ?2, NULL
FROM webhooks
CROSS JOIN json_each(?1) AS ended
CROSS JOIN executions
WHERE executions.id = ended.value AND webhooks.is_paused = 0 AND executions.completed_at IS NOT NULL
    AND (webhooks.events IS NULL OR executions.status IN (SELECT value FROM json_each(webhooks.events)))
    AND (webhooks.workflows IS NULL OR executions.workflow_name IN (SELECT value FROM json_each(webhooks.workflows)))
UNION ALL
-- And the one that the row of the workflow names: that of the organization comes before everybody's. Few do.
SELECT executions.id, webhooks.id, executions.status, ?2, ?2, NULL
FROM json_each(?1) AS ended
CROSS JOIN executions
CROSS JOIN webhooks
WHERE (SELECT EXISTS (SELECT 1 FROM workflows WHERE workflows.webhook IS NOT NULL))
    AND executions.id = ended.value AND executions.completed_at IS NOT NULL
    AND webhooks.is_paused = 0
    AND webhooks.name = CASE
        WHEN executions.workflow_id IS NOT NULL THEN
            (SELECT workflows.webhook FROM workflows WHERE workflows.id = executions.workflow_id AND is_active = 1)
        ELSE (
            SELECT workflows.webhook FROM workflows
            WHERE workflows.name = executions.workflow_name AND is_active = 1
                AND (workflows.organization_id IS NULL OR workflows.organization_id = executions.organization_id)
            ORDER BY workflows.organization_id IS NULL, workflows.id
            LIMIT 1
        )
    END
    AND (webhooks.events IS NULL OR executions.status IN (SELECT value FROM json_each(webhooks.events)))
UNION ALL
-- And to whom the request itself names. Few do.
SELECT executions.id, executions.webhook ->> '$.id', executions.status, ?2, ?2, executions.webhook ->> '$.url'
FROM json_each(?1) AS ended
CROSS JOIN executions
WHERE executions.id = ended.value AND executions.completed_at IS NOT NULL AND executions.webhook IS NOT NULL
    AND length(executions.webhook ->> '$.id') = 36 AND json_type(executions.webhook, '$.url') = 'text'
    AND (
        json_type(executions.webhook, '$.events') IS NULL
        OR executions.status IN (SELECT value FROM json_each(executions.webhook, '$.events'))
    )
ON CONFLICT DO NOTHING
