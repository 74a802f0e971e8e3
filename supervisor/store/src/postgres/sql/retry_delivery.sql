-- $1: the webhook, $2: the execution.
UPDATE webhook_deliveries
SET due_at = clock_timestamp(), attempts = 0, delivered_at = NULL
WHERE execution_id = $2
    AND (webhook_id = (SELECT id FROM webhooks WHERE name = $1) OR ($1 = 'request' AND url IS NOT NULL))
RETURNING
    execution_id, webhook_id, $1::text AS webhook, event, attempts, created_at, due_at, delivered_at, last_status, last_error,
    history, url
