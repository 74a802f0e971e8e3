-- What other supervisors show of themselves, if they hold RUNNING rows; none or more rows, and in each one what is to be
-- known of the server. Who never beats, because it is older or behind a pooler, shows nothing. $1: the owner who asks.
-- The key of a lock is the owner's first half combined with its second, and the server shows it in two halves too.
-- What they run is not read: one row of each is enough. Only of those whose lock nobody holds, because it is all that
-- may be heard of them, the last of their leases is looked for.
WITH locked AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), shown AS MATERIALIZED (
    SELECT
        owner, beats, lease_us, host, process_id::bigint AS process_id, process_started,
        (
            ('x' || left(replace(owner::text, '-', ''), 16))::bit(64)
            # ('x' || right(replace(owner::text, '-', ''), 16))::bit(64)
        )::bigint IN (SELECT key FROM locked) AS lock_held
    FROM supervisor_presences
    WHERE beats IS NOT NULL AND owner <> $1
), holding AS (
    SELECT
        owner, beats, lease_us, host, process_id, process_started, lock_held,
        CASE WHEN NOT lock_held THEN (
            SELECT max(lease_expires_at) FROM executions
            WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner = shown.owner
        ) END AS lease_ends
    FROM shown
    -- A value and not EXISTS, which would be joined, and then all that they run is read.
    WHERE (
        SELECT true FROM executions
        WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner = shown.owner
        LIMIT 1
    )
)
SELECT
    (extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) * 1000000)::bigint AS up_us,
    (SELECT count(*) FROM shown WHERE lock_held AND owner < $1) AS looks_before_us,
    owner, beats, lease_us, host, process_id, process_started, lock_held, lease_ends
FROM (VALUES (true)) AS server (is_up) LEFT JOIN holding ON true
