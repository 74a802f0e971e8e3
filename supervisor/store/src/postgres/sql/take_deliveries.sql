-- $1: at most so many of each, $2: those that are not asked for, $3: for how long they are taken, in microseconds, $4: at most
-- so many in all, $5: at most so many of requests.
WITH defined AS (
    SELECT picked.execution_id, webhooks.id, webhooks.name, webhooks.url
    FROM webhooks, LATERAL (
        SELECT execution_id FROM webhook_deliveries
        WHERE webhook_id = webhooks.id AND due_at <= (SELECT clock_timestamp())
        ORDER BY due_at
        LIMIT $1
        FOR UPDATE SKIP LOCKED
    ) AS picked
    WHERE NOT webhooks.is_paused AND webhooks.id <> ALL ($2::uuid[])
    LIMIT $4
), of_requests AS (
    SELECT execution_id, webhook_id AS id, 'request' AS name, url FROM webhook_deliveries
    WHERE url IS NOT NULL AND due_at <= (SELECT clock_timestamp()) AND webhook_id <> ALL ($2::uuid[])
    ORDER BY due_at
    LIMIT $5
    FOR UPDATE SKIP LOCKED
), found AS (
    SELECT execution_id, id, name, url FROM defined UNION ALL SELECT execution_id, id, name, url FROM of_requests
)
UPDATE webhook_deliveries
SET due_at = clock_timestamp() + $3 * interval '1 microsecond', attempts = webhook_deliveries.attempts + 1
FROM found
WHERE webhook_deliveries.execution_id = found.execution_id AND webhook_deliveries.webhook_id = found.id
RETURNING
    webhook_deliveries.execution_id, webhook_deliveries.webhook_id, found.name AS webhook, found.url,
    webhook_deliveries.event, webhook_deliveries.attempts
