-- Rows of others whose lease has run out and that nobody has locked at this moment: who waits for a row cannot renew
-- it. $1: the owner who asks, $2: how many.
SELECT id, attempt, lease_owner, lease_expires_at FROM executions
WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner <> $1
    AND lease_expires_at <= clock_timestamp()
ORDER BY lease_expires_at
LIMIT $2
FOR UPDATE SKIP LOCKED
