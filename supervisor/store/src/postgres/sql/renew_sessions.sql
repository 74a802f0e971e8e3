-- Ends sessions that have rested for $2 microseconds and began before the schema changed ($1); counts all of these. The session that
-- holds the lock of a living supervisor, and the one that listens, stay.
SELECT count(*) AS sessions, count(*) FILTER (
    WHERE state = 'idle' AND state_change < clock_timestamp() - $2 * interval '1 microsecond'
        AND pg_terminate_backend(pid)
) AS ended
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'muster' AND pid <> pg_backend_pid()
    AND backend_start < $1 AND query NOT LIKE 'LISTEN%'
    AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND pid IS NOT NULL)
