-- RUNNING rows that may be taken over. ?1: the owner who asks, ?2: a JSON array of those that are overdue (id,
-- attempt, end of the lease), ?3: a JSON array of dead owners (null: all others), ?4: how many, ?5: a JSON
-- array of the queues that are served, and the empty text.
SELECT
    id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested, lease_owner, limits,
    workflow_id, workflow_name, organization_id,
    0 AS is_expired
FROM executions
WHERE status = 'RUNNING' AND lease_owner <> ?1 AND coalesce(queue, '') IN (SELECT value FROM json_each(?5))
    AND (
        ?3 IS NULL OR lease_owner IN (SELECT value FROM json_each(?3))
        OR (id, attempt, lease_expires_at)
            IN (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))
    )
ORDER BY lease_expires_at
LIMIT ?4
