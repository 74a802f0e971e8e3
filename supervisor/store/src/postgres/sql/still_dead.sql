-- Checks again, inside the take-over, that these are dead: nobody holds their locks, and nothing was heard of them
-- since. Both stay so until the commit. $1: owners, $2: the keys of their locks, $3: how often they had beaten,
-- $4: when the last of their leases ended.
SELECT dead.owner
FROM UNNEST($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[]) AS dead (owner, key, beats, lease_ends)
JOIN supervisor_presences AS presence ON presence.owner = dead.owner AND presence.beats = dead.beats
WHERE pg_try_advisory_xact_lock(dead.key)
    AND NOT EXISTS (
        SELECT FROM executions
        WHERE lease_owner = dead.owner AND completed_at IS NULL AND lease_expires_at > dead.lease_ends
    )
FOR UPDATE OF presence SKIP LOCKED
