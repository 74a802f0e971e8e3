-- Supervisors that hold RUNNING rows and have shown that they can be seen to die, with their last sign of
-- life. $1: the owner who asks, $2: how many microseconds the server must have been up.
SELECT owner, max(lease_expires_at) AS lease_expires_at
FROM executions JOIN supervisor_presences ON owner = lease_owner
WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner <> $1
    AND clock_timestamp() - pg_postmaster_start_time() > $2 * interval '1 microsecond'
GROUP BY owner
