-- $1: what they came to, $2: the moment before which they ended, $3: at most so many, $4: the lock of whoever does this.
-- One whose outcome was not published yet stays: the sweep that publishes what a crash left must find it.
--
-- OFFSET keeps what is still to be told a look for each row: a join would read all rows that are old enough, and sort them.
WITH turn AS MATERIALIZED (
    SELECT pg_try_advisory_xact_lock($4) AS is_ours
), gone AS MATERIALIZED (
    SELECT id FROM executions
    WHERE (SELECT is_ours FROM turn)
        AND upper(status) = $1 AND upper(status) <> 'RUNNING'
        AND (created_at AT TIME ZONE 'UTC') < ($2 AT TIME ZONE 'UTC') AND completed_at < $2
        AND notified_at IS NOT NULL
        AND NOT EXISTS (
            SELECT FROM webhook_deliveries
            WHERE webhook_deliveries.execution_id = executions.id AND webhook_deliveries.due_at IS NOT NULL
            OFFSET 0
        )
    ORDER BY (created_at AT TIME ZONE 'UTC')
    LIMIT $3
    FOR UPDATE OF executions SKIP LOCKED
), lines AS (
    DELETE FROM execution_logs WHERE execution_id = ANY (ARRAY(SELECT id FROM gone)) RETURNING 1
), happened AS (
    DELETE FROM execution_events WHERE execution_id = ANY (ARRAY(SELECT id FROM gone)) RETURNING 1
), told AS (
    DELETE FROM webhook_deliveries WHERE execution_id = ANY (ARRAY(SELECT id FROM gone))
), pruned AS (
    DELETE FROM executions WHERE id = ANY (ARRAY(SELECT id FROM gone)) RETURNING 1
)
SELECT
    (SELECT count(*) FROM pruned) AS executions, (SELECT count(*) FROM lines) AS logs,
    (SELECT count(*) FROM happened) AS events
