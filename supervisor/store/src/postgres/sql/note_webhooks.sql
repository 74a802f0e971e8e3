-- $1: executions. Those that are over are told to whoever is to know.
INSERT INTO webhook_deliveries (execution_id, webhook_id, event, created_at, due_at)
SELECT executions.id, webhooks.id, executions.status, clock_timestamp(), clock_timestamp()
FROM executions
JOIN webhooks
    ON NOT webhooks.is_paused
    AND (webhooks.events IS NULL OR webhooks.events ? executions.status)
    AND (webhooks.workflows IS NULL OR webhooks.workflows ? executions.workflow_name)
WHERE executions.id = ANY ($1::uuid[]) AND executions.completed_at IS NOT NULL
ON CONFLICT DO NOTHING
