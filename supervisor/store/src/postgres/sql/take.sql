-- $1: ids this transaction has locked, $2: the owner, $3: the lease in microseconds.
WITH claimed AS (
    UPDATE executions SET
        status = 'RUNNING', attempt = attempt + 1, attempts_charged = attempts_charged + 1,
        lease_owner = $2, lease_expires_at = clock_timestamp() + $3 * interval '1 microsecond', started_at = NULL, waited_for = NULL
    WHERE id = ANY ($1)
    RETURNING
        id, workflow_id, workflow_name, organization_id, caller, coalesce((SELECT request_text FROM execution_requests WHERE execution_id = executions.id), request_text, request::text) AS request,
        attempt, attempts_charged, max_attempts, timeout_seconds, priority, retry_of, queue, lease_owner
), noted AS (
    INSERT INTO execution_events (execution_id, at, event, attempt, supervisor)
    SELECT id, clock_timestamp(), 'claimed', attempt, lease_owner FROM claimed
)
SELECT
    id, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged, max_attempts,
    timeout_seconds, priority, retry_of, queue
FROM claimed
