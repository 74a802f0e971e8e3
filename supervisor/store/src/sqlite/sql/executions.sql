-- ?1: status, ?2: workflow, ?3: organization, ?4 and ?5: where the last page ended (each null: any), ?6: how many.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, NULL AS parameters, NULL AS request, status,
    execution_model, NULL AS result, error_type, error_message, NULL AS error_stack, duration_ms, metrics,
    attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, expires_at, lease_owner,
    lease_expires_at, notified_at, cancel_requested_at, run_after, created_at, started_at, completed_at, end_cause
FROM executions
WHERE (?1 IS NULL OR status = ?1) AND (?2 IS NULL OR workflow_name = ?2)
    AND (?3 IS NULL OR organization_id = ?3) AND (?4 IS NULL OR (created_at, id) < (?4, ?5))
ORDER BY created_at DESC, id DESC
LIMIT ?6
