-- ?1: the execution, ?2: the webhook, ?3: the number of the try, ?4: when it is tried again, in microseconds from now, ?5:
-- whether it was received, ?6: the status, ?7: the error, ?8: the try for the history, ?9: now.
UPDATE webhook_deliveries
SET
    due_at = ?9 + ?4,
    delivered_at = CASE WHEN ?5 THEN ?9 END,
    last_status = ?6,
    last_error = ?7,
    history = json_insert(coalesce(history, '[]'), '$[#]', json(?8))
WHERE execution_id = ?1 AND webhook_id = ?2 AND attempts = ?3
