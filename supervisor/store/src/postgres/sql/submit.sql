-- $1 to $14: the columns of new executions, $15: their delays in microseconds, $16: the moments before which they do not
-- start, in microseconds since the epoch, $17: their limits, $18: what they wait for, $19: when their messages were
-- published, likewise. What would be later than now is of another clock.
WITH entered AS (
    INSERT INTO executions (
        id, workflow_id, workflow_name, organization_id, caller, webhook, max_attempts,
        timeout_seconds, priority, retry_of, queue, expires_at, status, run_after, created_at, limits, waits_for,
        published_at
    )
    SELECT
        id, workflow_id, workflow_name, organization_id, caller, webhook, max_attempts,
        timeout_seconds, priority, retry_of, queue,
        coalesce(timestamptz 'epoch' + expires_at_us * interval '1 microsecond', now + expires_us * interval '1 microsecond'),
        'PENDING',
        greatest(now + delay_us * interval '1 microsecond', timestamptz 'epoch' + run_at_us * interval '1 microsecond'), now,
        limits, waits_for,
        CASE WHEN published_at <= now THEN published_at END
    FROM UNNEST(
        $1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::jsonb[], $7::jsonb[], $8::integer[],
        $9::double precision[], $10::integer[], $11::uuid[], $12::text[], $13::bigint[], $14::bigint[], $15::bigint[],
        $16::bigint[], $17::text[], $18::text[], $19::bigint[]
    ) AS new (
        id, workflow_id, workflow_name, organization_id, caller, webhook, max_attempts, timeout_seconds,
        priority, retry_of, queue, expires_at_us, expires_us, delay_us, run_at_us, limits, waits_for, published_at_us
    ), (SELECT clock_timestamp() AS now) AS clock,
        LATERAL (SELECT timestamptz 'epoch' + published_at_us * interval '1 microsecond' AS published_at) AS published
    ON CONFLICT (id) DO NOTHING
    RETURNING id
), asked AS (
    INSERT INTO execution_requests (execution_id, request_text)
    SELECT id, request_text
    FROM UNNEST($1::uuid[], $6::text[]) AS new (id, request_text)
    WHERE (id IN (SELECT id FROM entered)) IS TRUE
    -- What a restore or a hand left behind is another one's.
    ON CONFLICT (execution_id) DO UPDATE SET request_text = excluded.request_text
)
SELECT id FROM entered
