-- Shows that we live. $1: the owner, $2: its lease in microseconds, $3 to $5: its host, process and when that
-- started, where they are known.
INSERT INTO supervisor_presences (
    owner, locked_at, beats, beat_at, lease_us, host, process_id, process_started
)
SELECT $1, now, 1, now, $2, $3, $4, $5 FROM (SELECT clock_timestamp() AS now) AS clock
ON CONFLICT (owner) DO UPDATE SET
    beats = coalesce(supervisor_presences.beats, 0) + 1, beat_at = excluded.beat_at
