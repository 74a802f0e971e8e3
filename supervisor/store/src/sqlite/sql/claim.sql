-- A new execution, ours from the start.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, request, webhook, max_attempts, timeout_seconds,
    priority, retry_of, queue, expires_at, created_at, published_at, run_after, lease_owner, lease_expires_at, status,
    attempt, attempts_charged
)
VALUES (
    @id, @workflow_id, @workflow_name, @organization_id, @caller, @request, @webhook, @max_attempts,
    @timeout_seconds, @priority, @retry_of, @queue, @expires_at, @now, @published_at, @now, @owner, @lease_end, 'RUNNING', 1, 1
)
ON CONFLICT (id) DO NOTHING
