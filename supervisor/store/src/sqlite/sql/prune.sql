-- ?1: what they came to, ?2: the moment before which they ended, ?3: at most so many.
-- One whose outcome was not published yet stays: the sweep that publishes what a crash left must find it.
DELETE FROM executions
WHERE id IN (
    SELECT id FROM executions
    WHERE upper(status) = ?1 AND upper(status) <> 'RUNNING' AND created_at < ?2 AND completed_at < ?2
        AND notified_at IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM webhook_deliveries
            WHERE webhook_deliveries.execution_id = executions.id AND webhook_deliveries.due_at IS NOT NULL
        )
    ORDER BY created_at
    LIMIT ?3
)
RETURNING id
