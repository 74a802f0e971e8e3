-- A new execution, ours from the start.
INSERT INTO executions (
    id, workflow_id, workflow_name, organization_id, caller, parameters, request, webhook, max_attempts, timeout_seconds,
    priority, retry_of, queue, expires_at, lease_owner, lease_expires_at, run_after, created_at, published_at, status,
    attempt, attempts_charged
)
VALUES (
    @id, @workflow_id, @workflow_name, @organization_id, @caller, @parameters, @request, @webhook, @max_attempts,
    @timeout_seconds, @priority, @retry_of, @queue, @expires_at, @owner, @lease_end, @now, @now, @published_at, 'RUNNING', 1, 1
)
ON CONFLICT (id) DO NOTHING
