-- $1 and $2: the first and the last id, $3: how many, $4: of which organization; null is of any.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, NULL::jsonb AS parameters, NULL::text AS request,
    status, execution_model, NULL::jsonb AS result, error_type, error_message, NULL::text AS error_stack,
    duration_ms, metrics, attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, limits, waits_for,
    expires_at, lease_owner, lease_expires_at,
    CASE WHEN (SELECT true FROM unpublished_outcomes WHERE execution_id = executions.id) IS NULL THEN notified_at END AS notified_at,
    cancel_requested_at, run_after, published_at, created_at, started_at,
    completed_at, end_cause
FROM executions
WHERE id BETWEEN $1 AND $2 AND ($4::uuid IS NULL OR organization_id = $4)
ORDER BY id DESC
LIMIT $3
