-- $1: ended so many microseconds ago, $2: how many. Those that were finalized wait among the unpublished, those that ended otherwise, or
-- were finalized by an earlier version, have no moment.
SELECT
    id, workflow_id, workflow_name, organization_id, caller, parameters,
    coalesce((SELECT request_text FROM execution_requests WHERE execution_id = executions.id), request_text, request::text) AS request, status, execution_model,
    coalesce(result_text, result::text) AS result, error_type, error_message, error_stack, duration_ms, metrics,
    attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, limits, waits_for, expires_at, lease_owner, lease_expires_at,
    NULL::timestamptz AS notified_at, cancel_requested_at, run_after, published_at, created_at, started_at, completed_at, end_cause
FROM executions
WHERE id = ANY (ARRAY(
    (
        SELECT execution_id FROM unpublished_outcomes JOIN executions ON executions.id = execution_id
        WHERE unpublished_outcomes.completed_at <= clock_timestamp() - $1 * interval '1 microsecond'
        LIMIT $2
    )
    UNION ALL
    (
        SELECT id FROM executions
        WHERE notified_at IS NULL AND completed_at <= clock_timestamp() - $1 * interval '1 microsecond'
        ORDER BY completed_at
        LIMIT $2
    )
))
ORDER BY completed_at
LIMIT $2
