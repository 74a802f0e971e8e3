-- $1: executions that are over. They go with all that hangs on them; what somebody has locked stays. Ids of which the planner does
-- not know how many they are it looks up one by one, and reads no table for them.
WITH gone AS MATERIALIZED (
    SELECT id FROM executions
    WHERE id = ANY (ARRAY(SELECT unnest($1::uuid[]))) AND completed_at IS NOT NULL AND notified_at IS NOT NULL
        AND NOT EXISTS (SELECT FROM unpublished_outcomes WHERE execution_id = executions.id)
    FOR UPDATE SKIP LOCKED
), lines AS (
    DELETE FROM execution_logs WHERE execution_id = ANY (ARRAY(SELECT id FROM gone)) RETURNING 1
), happened AS (
    DELETE FROM execution_events WHERE execution_id = ANY (ARRAY(SELECT id FROM gone)) RETURNING 1
), asked AS (
    DELETE FROM execution_requests WHERE execution_id = ANY (ARRAY(SELECT id FROM gone))
), told AS (
    DELETE FROM webhook_deliveries WHERE execution_id = ANY (ARRAY(SELECT id FROM gone))
), pruned AS (
    DELETE FROM executions WHERE id = ANY (ARRAY(SELECT id FROM gone)) RETURNING 1
)
SELECT
    (SELECT count(*) FROM pruned) AS executions, (SELECT count(*) FROM lines) AS logs,
    (SELECT count(*) FROM happened) AS events
