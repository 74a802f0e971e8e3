-- $1: the webhook, $2: the execution.
UPDATE webhook_deliveries
SET due_at = clock_timestamp(), attempts = 0, delivered_at = NULL
FROM webhooks
WHERE webhooks.name = $1 AND execution_id = $2 AND webhook_id = webhooks.id
RETURNING
    webhook_deliveries.execution_id, webhook_deliveries.webhook_id, webhooks.name AS webhook, webhook_deliveries.event,
    webhook_deliveries.attempts, webhook_deliveries.created_at, webhook_deliveries.due_at, webhook_deliveries.delivered_at,
    webhook_deliveries.last_status, webhook_deliveries.last_error, webhook_deliveries.history
