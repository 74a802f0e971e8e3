-- ?1: the webhook, or nothing for all, ?2: `pending`, `delivered`, `failed` or nothing, ?3: at most so many.
SELECT
    webhook_deliveries.execution_id, webhook_deliveries.webhook_id, coalesce(webhooks.name, 'request') AS webhook, webhook_deliveries.event,
    webhook_deliveries.attempts, webhook_deliveries.created_at, webhook_deliveries.due_at, webhook_deliveries.delivered_at,
    webhook_deliveries.last_status, webhook_deliveries.last_error, webhook_deliveries.history, webhook_deliveries.url
FROM webhook_deliveries
LEFT JOIN webhooks ON webhooks.id = webhook_deliveries.webhook_id
WHERE (?1 IS NULL OR coalesce(webhooks.name, 'request') = ?1)
    AND (webhooks.id IS NOT NULL OR webhook_deliveries.url IS NOT NULL)
    AND CASE ?2
        WHEN 'pending' THEN webhook_deliveries.due_at IS NOT NULL
        WHEN 'delivered' THEN webhook_deliveries.delivered_at IS NOT NULL
        WHEN 'failed' THEN webhook_deliveries.due_at IS NULL AND webhook_deliveries.delivered_at IS NULL
        ELSE true
    END
ORDER BY webhook_deliveries.created_at DESC
LIMIT ?3
