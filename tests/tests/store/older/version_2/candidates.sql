-- Rows a poll may claim: lost ones first, then those that wait, in the order of the queue. $1: the owner who
-- asks, $2: whether all others are lost, $3: whether an expired lease is enough, $4: the lease in
-- microseconds, which the server must have been up for, $5: dead owners, $6: how many.
WITH lost AS (
    SELECT
        id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested,
        lease_owner, 0 AS part, lease_expires_at AT TIME ZONE 'UTC' AS turn
    FROM executions
    WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner <> $1
        AND ($2 OR lease_owner = ANY ($5) OR (
            $3 AND lease_expires_at <= clock_timestamp()
            AND clock_timestamp() - pg_postmaster_start_time() > $4 * interval '1 microsecond'
        ))
    ORDER BY lease_expires_at
    LIMIT $6
    FOR UPDATE SKIP LOCKED
), due AS (
    SELECT
        id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested,
        lease_owner, 1 AS part, (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute' AS turn
    FROM executions
    WHERE status = 'PENDING' AND run_after <= clock_timestamp()
    ORDER BY (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'
    LIMIT $6 - (SELECT count(*) FROM lost)
    FOR UPDATE SKIP LOCKED
)
SELECT * FROM lost UNION ALL SELECT * FROM due ORDER BY part, turn
