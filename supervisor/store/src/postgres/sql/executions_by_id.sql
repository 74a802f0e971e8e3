-- $1: ids.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, parameters,
    coalesce((SELECT request_text FROM execution_requests WHERE execution_id = executions.id), request_text, request::text) AS request, status, execution_model,
    coalesce(result_text, result::text) AS result, error_type, error_message, error_stack, duration_ms, metrics,
    attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, limits, waits_for, expires_at, lease_owner, lease_expires_at,
    CASE WHEN (SELECT true FROM unpublished_outcomes WHERE execution_id = executions.id) IS NULL THEN notified_at END AS notified_at,
    cancel_requested_at, run_after, published_at, created_at, started_at, completed_at, end_cause
FROM executions
WHERE id = ANY ($1)
