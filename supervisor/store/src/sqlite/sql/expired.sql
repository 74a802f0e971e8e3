-- Rows that were to start by a moment that is over, and never did. ?1: now, ?2: how many.
SELECT
    id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested, lease_owner, limits,
    workflow_id, workflow_name, organization_id,
    1 AS is_expired
FROM executions
WHERE status = 'PENDING' AND expires_at <= ?1 AND attempts_charged = 0
ORDER BY expires_at
LIMIT ?2
