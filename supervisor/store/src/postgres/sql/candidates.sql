-- Rows a poll may claim: lost ones first, then those that wait for nothing but a worker, in the order of their queues. $1: the owner who
-- asks, $2: whether all others are lost, $3: dead owners, $4 to $6: attempts that are overdue and when their leases
-- ran out, $7: how many, $8: the queues that rows may be claimed from, and the empty text for what an earlier version
-- wrote, $9: organizations, 0 for what has none, $10: how many of each, $11: the queues that are served.
WITH lost AS (
    SELECT
        id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested,
        lease_owner, limits, workflow_id, workflow_name, organization_id, false AS is_expired, 0 AS part, lease_expires_at AT TIME ZONE 'UTC' AS turn
    FROM executions
    -- A look at an index for each way to be lost, and none where nobody is: what others run is not read. The rest is in a
    -- CASE, so that the server thinks of no other index: it cannot know how many rows run. Whoever finds as many as these
    -- locked leaves them to those who lock them.
    WHERE id = ANY (ARRAY(
            (
                SELECT held.id FROM (
                    SELECT id, lease_expires_at FROM executions
                    WHERE $2 AND lease_owner <> $1 AND completed_at IS NULL
                        AND CASE WHEN status = 'RUNNING' AND coalesce(queue, '') = ANY ($11) THEN true ELSE false END
                    UNION ALL
                    SELECT id, lease_expires_at FROM executions
                    WHERE lease_owner = ANY ($3) AND completed_at IS NULL
                        AND CASE WHEN status = 'RUNNING' AND coalesce(queue, '') = ANY ($11) THEN true ELSE false END
                ) AS held
                ORDER BY held.lease_expires_at
                LIMIT 4 * $7
            )
            UNION ALL
            SELECT late.id FROM UNNEST($4::uuid[]) AS late (id)
        ))
        AND CASE WHEN status = 'RUNNING' AND completed_at IS NULL AND lease_owner <> $1
            AND ($2 OR lease_owner = ANY ($3) OR (id, attempt, lease_expires_at) IN (
                SELECT late.id, late.attempt, late.lease_ends
                FROM UNNEST($4::uuid[], $5::integer[], $6::timestamptz[]) AS late (id, attempt, lease_ends)
            ))
            AND coalesce(queue, '') = ANY ($11)
        THEN true ELSE false END
    ORDER BY lease_expires_at
    LIMIT $7
    FOR UPDATE SKIP LOCKED
), due AS (
    SELECT
        id, attempt, attempts_charged, max_attempts, cancel_requested, lease_owner, limits, workflow_id, workflow_name,
        organization_id, is_expired, 1 AS part, turn
    FROM UNNEST($9::uuid[], $10::bigint[]) AS share (organization, starts), LATERAL (
        SELECT waiting.* FROM UNNEST($8::text[]) AS served (queue), LATERAL (
            SELECT
                id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested,
                NULL::uuid AS lease_owner, limits, workflow_id, workflow_name, organization_id,
                attempts_charged = 0 AND coalesce(expires_at <= (SELECT clock_timestamp()), false) AS is_expired,
                (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute' AS turn
            FROM executions
            -- The turn follows from the moment, and keeps what is due in a year from being looked at.
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = served.queue
                AND coalesce(organization_id, '00000000-0000-0000-0000-000000000000') = share.organization
                AND (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute' <= (SELECT clock_timestamp()) AT TIME ZONE 'UTC'
                AND run_after <= (SELECT clock_timestamp())
                -- What this supervisor gave back because it does not know it others may have first.
                AND (lease_owner IS NULL OR lease_owner <> $1 OR run_after <= (SELECT clock_timestamp()) - interval '1 second')
            ORDER BY (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'
            LIMIT share.starts
            FOR UPDATE SKIP LOCKED
        ) AS waiting
        ORDER BY turn
        LIMIT share.starts
    ) AS waiting
    ORDER BY turn
    LIMIT $7 - (SELECT count(*) FROM lost)
)
SELECT
    id, attempt, attempts_charged, max_attempts, cancel_requested, lease_owner, limits, workflow_id, workflow_name,
    organization_id, is_expired, part, turn
FROM lost
UNION ALL
SELECT
    id, attempt, attempts_charged, max_attempts, cancel_requested, lease_owner, limits, workflow_id, workflow_name,
    organization_id, is_expired, part, turn
FROM due
ORDER BY part, turn
