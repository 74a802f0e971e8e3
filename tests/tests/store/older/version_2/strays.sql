-- Rows in our name that nobody renews. $1: ids that are held, $2: the owner, $3: leases that end within so
-- many microseconds have missed a renewal.
SELECT id, attempt FROM executions
WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner = $2
    AND lease_expires_at <= clock_timestamp() + $3 * interval '1 microsecond' AND id <> ALL ($1)
