-- A row that waits and may start. ?1: the id, ?2: the owner, ?3: now, ?4: when the lease ends, ?5: a JSON array of the
-- queues that are served, and the empty text.
UPDATE executions SET
    status = 'RUNNING', attempt = attempt + 1, attempts_charged = attempts_charged + 1, lease_owner = ?2,
    lease_expires_at = ?4
WHERE id = ?1 AND status = 'PENDING' AND waits_for IS NULL AND limits IS NULL AND run_after <= ?3
    AND (expires_at IS NULL OR expires_at > ?3 OR attempts_charged > 0)
    AND coalesce(queue, '') IN (SELECT value FROM json_each(?5))
RETURNING
    id, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged,
    max_attempts, timeout_seconds, priority, retry_of, queue
