-- $1 to $14: the columns of new executions, $15: the owner, $16: the lease in microseconds, $17: the queues that are
-- served, and the empty text, $18: when their messages were published, in microseconds since the epoch; what would be
-- later than now is of another clock. A row that this very statement inserted has no locker yet (xmax): it is fresh, and the
-- claimer has its request in hand. What others inserted while this statement ran it does not see, so what was asked for is read
-- after it.
WITH claimed AS (
    INSERT INTO executions (
        id, workflow_id, workflow_name, organization_id, caller, webhook, max_attempts,
        timeout_seconds, priority, retry_of, queue, expires_at, status, attempt, attempts_charged,
        lease_owner, lease_expires_at, run_after, created_at, published_at
    )
    SELECT
        id, workflow_id, workflow_name, organization_id, caller, webhook, max_attempts,
        timeout_seconds, priority, retry_of, queue,
        coalesce(timestamptz 'epoch' + expires_at_us * interval '1 microsecond', now + expires_us * interval '1 microsecond'),
        'RUNNING', 1, 1, $15, now + $16 * interval '1 microsecond', now, now,
        CASE WHEN published_at <= now THEN published_at END
    FROM UNNEST(
        $1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[], $7::jsonb[], $8::integer[],
        $9::double precision[], $10::integer[], $11::uuid[], $12::text[], $13::bigint[], $14::bigint[], $18::bigint[]
    ) AS new (
        id, workflow_id, workflow_name, organization_id, caller, webhook, max_attempts, timeout_seconds,
        priority, retry_of, queue, expires_at_us, expires_us, published_at_us
    ), (SELECT clock_timestamp() AS now) AS clock,
        LATERAL (SELECT timestamptz 'epoch' + published_at_us * interval '1 microsecond' AS published_at) AS published
    ON CONFLICT (id) DO UPDATE SET
        status = 'RUNNING', attempt = executions.attempt + 1,
        attempts_charged = executions.attempts_charged + 1, lease_owner = excluded.lease_owner,
        lease_expires_at = excluded.lease_expires_at
    WHERE executions.status = 'PENDING' AND executions.waits_for IS NULL AND executions.limits IS NULL
        AND executions.run_after <= excluded.run_after
        AND (executions.expires_at IS NULL OR executions.expires_at > excluded.run_after OR executions.attempts_charged > 0)
        AND coalesce(executions.queue, '') = ANY ($17)
    RETURNING id, executions.xmax = 0 AS fresh, attempt, lease_owner
), asked AS (
    INSERT INTO execution_requests (execution_id, request_text)
    SELECT id, request_text
    FROM UNNEST($1::uuid[], $6::text[]) AS new (id, request_text)
    WHERE (id IN (SELECT id FROM claimed WHERE fresh)) IS TRUE
    -- What a restore or a hand left behind is another one's.
    ON CONFLICT (execution_id) DO UPDATE SET request_text = excluded.request_text
), noted AS (
    INSERT INTO execution_events (execution_id, at, event, attempt, supervisor)
    SELECT id, clock_timestamp(), 'claimed', attempt, lease_owner FROM claimed
)
SELECT id, fresh, attempt FROM claimed
