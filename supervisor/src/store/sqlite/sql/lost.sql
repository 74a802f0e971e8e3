-- RUNNING rows that may be taken over. ?1: the owner who asks, ?2: leases that end until this moment may be
-- taken over (null: none), ?3: a JSON array of dead owners (null: all others), ?4: how many.
SELECT
    id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested, lease_owner
FROM executions
WHERE status = 'RUNNING' AND lease_owner <> ?1
    AND (lease_expires_at <= ?2 OR ?3 IS NULL OR lease_owner IN (SELECT value FROM json_each(?3)))
ORDER BY lease_expires_at
LIMIT ?4
