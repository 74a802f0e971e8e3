-- ?1: what they came to, ?2: the moment before which they ended. What would go.
WITH gone AS MATERIALIZED (
    SELECT id FROM executions
    WHERE upper(status) = ?1 AND upper(status) <> 'RUNNING' AND created_at < ?2 AND completed_at < ?2
        AND notified_at IS NOT NULL
        AND NOT EXISTS (
            SELECT 1 FROM webhook_deliveries
            WHERE webhook_deliveries.execution_id = executions.id AND webhook_deliveries.due_at IS NOT NULL
        )
)
SELECT
    (SELECT count(*) FROM gone) AS executions,
    (SELECT count(*) FROM execution_logs WHERE execution_id IN (SELECT id FROM gone)) AS logs,
    (SELECT count(*) FROM execution_events WHERE execution_id IN (SELECT id FROM gone)) AS events
