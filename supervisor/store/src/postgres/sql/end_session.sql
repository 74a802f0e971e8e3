-- Ends a session of ours that was lost, if it still holds our lock. $1: its number, $2: the key of the lock.
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND pid = $1
    AND (classid::bigint << 32) | objid::bigint = $2
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
