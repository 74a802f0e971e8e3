-- $1 to $10: the columns of new executions, $11: the owner, $12: the lease in microseconds. A row that this
-- very statement inserted has no locker yet (xmax); the claimer has its request in hand. OFFSET 0 keeps the copy from
-- being made once for each column that needs it.
WITH claimed AS (
    INSERT INTO executions (
        id, workflow_id, workflow_name, organization_id, caller, request, request_text, max_attempts,
        timeout_seconds, priority, retry_of, parameters, status, attempt, attempts_charged, lease_owner, lease_expires_at, run_after,
        created_at
    )
    SELECT
        id, workflow_id, workflow_name, organization_id, caller, request, request_text, max_attempts,
        timeout_seconds, priority, retry_of, coalesce(request -> 'parameters', '{}'), 'RUNNING', 1, 1, $11,
        now + $12 * interval '1 microsecond', now, now
    FROM UNNEST(
        $1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[], $6::text[], $7::integer[],
        $8::double precision[], $9::integer[], $10::uuid[]
    ) AS new (
        id, workflow_id, workflow_name, organization_id, caller, request_text, max_attempts, timeout_seconds,
        priority, retry_of
    ), (SELECT clock_timestamp() AS now) AS clock, LATERAL (SELECT request_text::jsonb AS request OFFSET 0) AS copy
    ON CONFLICT (id) DO UPDATE SET
        status = 'RUNNING', attempt = executions.attempt + 1,
        attempts_charged = executions.attempts_charged + 1, lease_owner = excluded.lease_owner,
        lease_expires_at = excluded.lease_expires_at
    WHERE executions.status = 'PENDING' AND executions.run_after <= excluded.run_after
    RETURNING
        id, executions.xmax = 0 AS fresh, workflow_id, workflow_name, organization_id, caller,
        CASE WHEN executions.xmax = 0 THEN NULL ELSE coalesce(request_text, request::text) END AS request, attempt, attempts_charged,
        max_attempts, timeout_seconds, priority, retry_of, lease_owner
), noted AS (
    INSERT INTO execution_events (execution_id, at, event, attempt, supervisor)
    SELECT id, clock_timestamp(), 'claimed', attempt, lease_owner FROM claimed
)
SELECT
    id, fresh, workflow_id, workflow_name, organization_id, caller, request, attempt, attempts_charged, max_attempts,
    timeout_seconds, priority, retry_of
FROM claimed
