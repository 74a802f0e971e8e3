-- What waits in each queue that has something, up to a hundred thousand rows in all, and how long whoever is next has
-- waited since its moment, or since its message was published where it was to start at once. Who is next is looked up in
-- the index for each organization of a queue, a thousand at most.
WITH RECURSIVE waiting AS (
    SELECT queue, count(*) AS waiting
    FROM (SELECT coalesce(queue, '') AS queue FROM executions WHERE status = 'PENDING' LIMIT 100000) AS pending
    GROUP BY queue
), found (queue, organization) AS (
    SELECT waiting.queue, (
        SELECT coalesce(organization_id, '00000000-0000-0000-0000-000000000000') FROM executions
        WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = waiting.queue
        ORDER BY coalesce(organization_id, '00000000-0000-0000-0000-000000000000') LIMIT 1
    )
    FROM waiting
    UNION ALL
    SELECT found.queue, (
        SELECT coalesce(organization_id, '00000000-0000-0000-0000-000000000000') FROM executions
        WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = found.queue
            AND coalesce(organization_id, '00000000-0000-0000-0000-000000000000') > found.organization
        ORDER BY coalesce(organization_id, '00000000-0000-0000-0000-000000000000') LIMIT 1
    )
    FROM found WHERE found.organization IS NOT NULL
), next AS (
    SELECT found.queue, min(first.since) AS since
    FROM (SELECT queue, organization FROM found WHERE organization IS NOT NULL LIMIT 1000) AS found, LATERAL (
        SELECT CASE WHEN run_after = created_at THEN coalesce(published_at, run_after) ELSE run_after END AS since
        FROM executions
        WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = found.queue
            AND coalesce(organization_id, '00000000-0000-0000-0000-000000000000') = found.organization
            AND (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute' <= (SELECT clock_timestamp()) AT TIME ZONE 'UTC'
            AND run_after <= (SELECT clock_timestamp())
        ORDER BY (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'
        LIMIT 1
    ) AS first
    GROUP BY found.queue
)
SELECT
    waiting.queue, waiting.waiting,
    (extract(epoch FROM (SELECT clock_timestamp()) - nullif(next.since, '-infinity')) * 1000000)::bigint AS waited_us
FROM waiting LEFT JOIN next ON next.queue = waiting.queue
ORDER BY waiting.queue COLLATE "C"
