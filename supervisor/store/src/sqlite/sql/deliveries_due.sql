-- ?1: now, ?2: a JSON array of webhooks that are not asked for. Whether a delivery is due, found without the lock that writing
-- needs.
SELECT EXISTS (
    SELECT 1 FROM webhooks
    CROSS JOIN webhook_deliveries
    WHERE webhook_deliveries.webhook_id = webhooks.id AND webhooks.is_paused = 0 AND webhook_deliveries.due_at <= ?1
        AND webhooks.id NOT IN (SELECT value FROM json_each(?2))
) OR EXISTS (
    SELECT 1 FROM webhook_deliveries
    WHERE url IS NOT NULL AND due_at <= ?1 AND webhook_id NOT IN (SELECT value FROM json_each(?2))
) AS is_due
