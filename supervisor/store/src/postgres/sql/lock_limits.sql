-- Locks limits until the transaction ends. $1: the keys of their locks, in their order, $2: how long they are waited for, $3: how
-- long other locks are from then on. A session that falls silent in the middle is ended, so that it does not keep everybody
-- out; whoever finds a lock taken for longer than it waits goes without.
SELECT
    set_config('idle_in_transaction_session_timeout', '5s', true), set_config('lock_timeout', $2, true),
    pg_advisory_xact_lock(1819109748, key) IS NULL AS locked, set_config('lock_timeout', $3, true)
FROM UNNEST($1::integer[]) AS key
