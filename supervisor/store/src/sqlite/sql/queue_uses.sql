-- What waits in each queue that has something, up to a hundred thousand rows in all, and how long whoever is next has
-- waited since its moment, or since its message was published where it was to start at once. Who is next is looked up in
-- the index for each organization of a queue, a thousand at most.
-- ?1: now.
WITH RECURSIVE waiting AS (
    SELECT queue, count(*) AS waiting
    FROM (SELECT coalesce(queue, '') AS queue FROM executions WHERE status = 'PENDING' LIMIT 100000)
    GROUP BY queue
), found (queue, organization) AS (
    SELECT waiting.queue, (
        SELECT coalesce(organization_id, '') FROM executions INDEXED BY executions_shared
        WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(queue, '') = waiting.queue
        ORDER BY coalesce(organization_id, '') LIMIT 1
    )
    FROM waiting
    UNION ALL
    SELECT found.queue, (
        SELECT coalesce(organization_id, '') FROM executions INDEXED BY executions_shared
        WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(queue, '') = found.queue
            AND coalesce(organization_id, '') > found.organization
        ORDER BY coalesce(organization_id, '') LIMIT 1
    )
    FROM found WHERE found.organization IS NOT NULL
    LIMIT 1000
), next AS (
    SELECT queue, min(since) AS since
    FROM (
        SELECT found.queue, (
            SELECT CASE WHEN run_after = created_at THEN coalesce(published_at, run_after) ELSE run_after END
            FROM executions INDEXED BY executions_shared
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = found.queue
                AND coalesce(organization_id, '') = found.organization
                AND run_after - priority * 60000000 <= ?1 AND run_after <= ?1
            ORDER BY run_after - priority * 60000000
            LIMIT 1
        ) AS since
        FROM found WHERE found.organization IS NOT NULL
    )
    GROUP BY queue
)
SELECT waiting.queue, waiting.waiting, ?1 - next.since AS waited_us
FROM waiting LEFT JOIN next ON next.queue = waiting.queue
ORDER BY waiting.queue
