-- ?1: created at the earliest, ?2 and ?3: where the last page ended, ?4: how many, then what narrows the page.
--
-- A page is found by the one index that is made for its filters, and by nothing but its index: left to choose, SQLite
-- would read two million newer rows for the first that fails.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, NULL AS parameters, NULL AS request, status,
    execution_model, NULL AS result, error_type, error_message, NULL AS error_stack, duration_ms, metrics,
    attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, limits, waits_for, expires_at, lease_owner,
    lease_expires_at, notified_at, cancel_requested_at, run_after, published_at, created_at, started_at, completed_at, end_cause
FROM executions
WHERE id IN (
