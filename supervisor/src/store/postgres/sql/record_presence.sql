-- $1: the owner. What long-dead supervisors left is swept.
WITH swept AS (
    DELETE FROM supervisor_presences
    WHERE locked_at < clock_timestamp() - interval '7 days'
        AND owner NOT IN (
            SELECT lease_owner FROM executions
            WHERE status = 'RUNNING' AND completed_at IS NULL AND lease_owner IS NOT NULL
        )
        AND owner <> $1
)
INSERT INTO supervisor_presences (owner, locked_at) VALUES ($1, clock_timestamp())
ON CONFLICT (owner) DO UPDATE SET locked_at = excluded.locked_at
