-- ?1: a JSON array of executions, ?2: now. Those that are over are told to whoever is to know. Joined in this order, so that
-- without a webhook nothing is looked at.
INSERT INTO webhook_deliveries (execution_id, webhook_id, event, created_at, due_at)
SELECT executions.id, webhooks.id, executions.status, ?2, ?2
FROM webhooks
CROSS JOIN json_each(?1) AS ended
CROSS JOIN executions
WHERE executions.id = ended.value AND webhooks.is_paused = 0 AND executions.completed_at IS NOT NULL
    AND (webhooks.events IS NULL OR executions.status IN (SELECT value FROM json_each(webhooks.events)))
    AND (webhooks.workflows IS NULL OR executions.workflow_name IN (SELECT value FROM json_each(webhooks.workflows)))
ON CONFLICT DO NOTHING
