-- A new execution that waits.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, request, webhook, max_attempts, timeout_seconds,
    priority, retry_of, queue, expires_at, created_at, published_at, run_after, limits, waits_for, status
)
VALUES (
    @id, @workflow_id, @workflow_name, @organization_id, @caller, @request, @webhook, @max_attempts,
    @timeout_seconds, @priority, @retry_of, @queue, @expires_at, @now, @published_at, @run_after, @limits, @waits_for, 'PENDING'
)
ON CONFLICT (id) DO NOTHING
