-- PENDING rows of an organization that are due, in the order of their queues. ?1: now, ?2: how many, ?3: a JSON array of
-- the queues that are served, and the empty text, ?4: the organization, or the empty text for those without one.
SELECT
    executions.id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested, lease_owner, limits,
    workflow_id, workflow_name, organization_id,
    attempts_charged = 0 AND coalesce(expires_at <= ?1, 0) AS is_expired
FROM json_each(?3) AS served JOIN executions ON executions.rowid IN (
    SELECT rowid FROM executions INDEXED BY executions_shared
    -- The second line follows from the third, and keeps what is due in a year from being looked at.
    WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(queue, '') = served.value
        AND coalesce(organization_id, '') = ?4
        AND run_after - priority * 60000000 <= ?1
        AND run_after <= ?1
    ORDER BY run_after - priority * 60000000
    LIMIT ?2
)
ORDER BY run_after - priority * 60000000
LIMIT ?2
