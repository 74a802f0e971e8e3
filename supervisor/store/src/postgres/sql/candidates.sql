-- Rows a poll may claim: lost ones first, then those that wait, in the order of the queue. $1: the owner who
-- asks, $2: whether all others are lost, $3: dead owners, $4 to $6: attempts that are overdue and when their leases
-- ran out, $7: how many.
WITH lost AS (
    SELECT
        id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested,
        lease_owner, 0 AS part, lease_expires_at AT TIME ZONE 'UTC' AS turn
    FROM executions
    WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner <> $1
        AND ($2 OR lease_owner = ANY ($3) OR (id, attempt, lease_expires_at) IN (
            SELECT late.id, late.attempt, late.lease_ends
            FROM UNNEST($4::uuid[], $5::integer[], $6::timestamptz[]) AS late (id, attempt, lease_ends)
        ))
    ORDER BY lease_expires_at
    LIMIT $7
    FOR UPDATE SKIP LOCKED
), due AS (
    SELECT
        id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested,
        lease_owner, 1 AS part, (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute' AS turn
    FROM executions
    WHERE status = 'PENDING' AND run_after <= clock_timestamp()
    ORDER BY (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'
    LIMIT $7 - (SELECT count(*) FROM lost)
    FOR UPDATE SKIP LOCKED
)
SELECT id, attempt, attempts_charged, max_attempts, cancel_requested, lease_owner, part, turn FROM lost
UNION ALL
SELECT id, attempt, attempts_charged, max_attempts, cancel_requested, lease_owner, part, turn FROM due
ORDER BY part, turn
