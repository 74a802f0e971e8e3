-- Checks again, inside the take-over, that nobody holds these locks; and takes them until the commit.
-- $1: owners, $2: the keys of their locks.
SELECT owner FROM UNNEST($1::uuid[], $2::bigint[]) AS dead (owner, key) WHERE pg_try_advisory_xact_lock(key)
