-- $1: created at the earliest, $2 and $3: where the last page ended, $4: how many, then what narrows the page.
--
-- A page is found by the one index that is made for its filters, and by nothing but its index: keys and order are the
-- expressions of that index, which leave the planner no other way. With plain columns it would believe that rows of
-- a kind are spread evenly, and read two million newer ones for the first that fails.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, NULL::jsonb AS parameters, NULL::text AS request,
    status, execution_model, NULL::jsonb AS result, error_type, error_message, NULL::text AS error_stack,
    duration_ms, metrics, attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, limits, waits_for,
    expires_at, lease_owner, lease_expires_at,
    CASE WHEN (SELECT true FROM unpublished_outcomes WHERE execution_id = executions.id) IS NULL THEN notified_at END AS notified_at,
    cancel_requested_at, run_after, published_at, created_at, started_at,
    completed_at, end_cause
FROM executions
WHERE id = ANY (ARRAY(
