-- $1: the webhook, $2: the execution.
UPDATE webhook_deliveries
SET due_at = clock_timestamp(), attempts = 0, delivered_at = NULL
WHERE execution_id = $2 AND webhook_id = (SELECT id FROM webhooks WHERE name = $1)
RETURNING execution_id
