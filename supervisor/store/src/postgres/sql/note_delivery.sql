-- $1: the execution, $2: the webhook, $3: the number of the try, $4: when it is tried again, in microseconds from now, $5:
-- whether it was received, $6: the status, $7: the error, $8: the try for the history.
UPDATE webhook_deliveries
SET
    due_at = clock_timestamp() + $4 * interval '1 microsecond',
    delivered_at = CASE WHEN $5 THEN clock_timestamp() END,
    last_status = $6,
    last_error = $7,
    history = (coalesce(history, '[]')::jsonb || $8::text::jsonb)::text
WHERE execution_id = $1 AND webhook_id = $2 AND attempts = $3
