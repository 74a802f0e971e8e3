-- ?1: at most so many of each, ?2: a JSON array of those that are not asked for, ?3: now, ?4: until when they are taken, ?5: at
-- most so many in all, ?6: at most so many of requests. The first that are due of each are found by its index, however many wait.
UPDATE webhook_deliveries SET due_at = ?4, attempts = attempts + 1
WHERE (execution_id, webhook_id) IN (
    SELECT execution_id, webhook_id FROM (
        SELECT picked.execution_id, picked.webhook_id
        FROM webhooks
        CROSS JOIN webhook_deliveries AS picked
        WHERE webhooks.is_paused = 0
            AND webhooks.id NOT IN (SELECT value FROM json_each(?2))
            AND picked.webhook_id = webhooks.id
            AND picked.execution_id IN (
                SELECT due.execution_id FROM webhook_deliveries AS due
                WHERE due.webhook_id = webhooks.id AND due.due_at <= ?3
                ORDER BY due.due_at
                LIMIT ?1
            )
        LIMIT ?5
    )
    UNION ALL
    SELECT execution_id, webhook_id FROM (
        SELECT execution_id, webhook_id FROM webhook_deliveries INDEXED BY webhook_deliveries_of_requests
        WHERE url IS NOT NULL AND due_at <= ?3 AND webhook_id NOT IN (SELECT value FROM json_each(?2))
        ORDER BY due_at
        LIMIT ?6
    )
)
RETURNING
    execution_id, webhook_id, event, attempts,
    coalesce((SELECT name FROM webhooks WHERE id = webhook_id), 'request') AS webhook,
    coalesce(url, (SELECT webhooks.url FROM webhooks WHERE id = webhook_id)) AS url
