-- $1: the webhook, or nothing for all, $2: `pending`, `delivered`, `failed` or nothing, $3: at most so many.
SELECT
    webhook_deliveries.execution_id, webhook_deliveries.webhook_id, webhooks.name AS webhook, webhook_deliveries.event,
    webhook_deliveries.attempts, webhook_deliveries.created_at, webhook_deliveries.due_at, webhook_deliveries.delivered_at,
    webhook_deliveries.last_status, webhook_deliveries.last_error, webhook_deliveries.history
FROM webhooks
JOIN webhook_deliveries ON webhook_deliveries.webhook_id = webhooks.id
WHERE ($1::text IS NULL OR webhooks.name = $1)
    AND CASE $2::text
        WHEN 'pending' THEN webhook_deliveries.due_at IS NOT NULL
        WHEN 'delivered' THEN webhook_deliveries.delivered_at IS NOT NULL
        WHEN 'failed' THEN webhook_deliveries.due_at IS NULL AND webhook_deliveries.delivered_at IS NULL
        ELSE true
    END
ORDER BY webhook_deliveries.created_at DESC
LIMIT $3
