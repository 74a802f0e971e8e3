-- Other supervisors that hold RUNNING rows, with what they show of themselves. Those that never beat, because they
-- are older or behind a pooler, show nothing. $1: the owner who asks. The key of a lock is the owner's first half
-- combined with its second, and the server shows it in two halves too.
WITH holding AS (
    SELECT lease_owner AS owner, max(lease_expires_at) AS lease_ends
    FROM executions
    WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner <> $1
    GROUP BY lease_owner
), locked AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT
    holding.owner, lease_ends, beats, lease_us, host, process_id::bigint AS process_id, process_started,
    (
        ('x' || left(replace(holding.owner::text, '-', ''), 16))::bit(64)
        # ('x' || right(replace(holding.owner::text, '-', ''), 16))::bit(64)
    )::bigint IN (SELECT key FROM locked) AS lock_held,
    (extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()) * 1000000)::bigint AS up_us
FROM holding LEFT JOIN supervisor_presences AS presence
    ON presence.owner = holding.owner AND presence.beats IS NOT NULL
