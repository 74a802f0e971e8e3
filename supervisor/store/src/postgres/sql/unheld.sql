-- Rows in our name that nobody renews. $1 and $2: the attempts that are held, $3: the owner, $4: leases that end
-- within so many microseconds have missed a renewal.
SELECT id, attempt FROM executions
WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner = $3
    AND lease_expires_at <= clock_timestamp() + $4 * interval '1 microsecond'
    AND NOT EXISTS (
        SELECT FROM UNNEST($1::uuid[], $2::integer[]) AS held (id, attempt)
        WHERE held.id = executions.id AND held.attempt = executions.attempt
    )
