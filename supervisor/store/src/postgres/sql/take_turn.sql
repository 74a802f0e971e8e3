-- $1: the lock of whoever does this.
SELECT pg_try_advisory_xact_lock($1) AS is_ours
