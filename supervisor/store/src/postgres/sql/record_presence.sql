-- $1: the owner, $2: its lease in microseconds, $3 to $5: its host, process and when that started. What long-dead supervisors left is swept: who has held its lock for long is not dead. The key of
-- a lock is the owner's first half combined with its second, and the server shows it in two halves too.
WITH swept AS (
    DELETE FROM supervisor_presences
    WHERE greatest(locked_at, beat_at) < clock_timestamp() - interval '7 days'
        AND owner NOT IN (
            SELECT lease_owner FROM executions
            WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner IS NOT NULL
        )
        AND owner <> $1
        AND (
            ('x' || left(replace(owner::text, '-', ''), 16))::bit(64)
            # ('x' || right(replace(owner::text, '-', ''), 16))::bit(64)
        )::bigint NOT IN (
            SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
            WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
)
INSERT INTO supervisor_presences (
    owner, locked_at, beats, beat_at, lease_us, host, process_id, process_started
)
SELECT $1, now, 1, now, $2, $3, $4, $5 FROM (SELECT clock_timestamp() AS now) AS clock
ON CONFLICT (owner) DO UPDATE SET
    locked_at = excluded.locked_at, beats = coalesce(supervisor_presences.beats, 0) + 1,
    beat_at = excluded.beat_at
