), recent AS MATERIALIZED (
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM narrowed
        WHERE upper(status) = 'SUCCESS' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
    UNION ALL
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM narrowed
        WHERE upper(status) = 'FAILED' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
    UNION ALL
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM narrowed
        WHERE upper(status) = 'TIMEOUT' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
    UNION ALL
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM narrowed
        WHERE upper(status) = 'CANCELLED' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
), cut AS (
    SELECT max(oldest) AS oldest
    FROM (SELECT min(created_at) AS oldest FROM recent GROUP BY status HAVING count(*) >= ?2) AS full_ends
), counted AS (
    SELECT
        workflow_name, status, completed_at, duration_ms, count(duration_ms) OVER (PARTITION BY workflow_name) AS timed,
        row_number() OVER (PARTITION BY workflow_name, duration_ms IS NULL ORDER BY duration_ms) AS place
    FROM recent, cut
    WHERE cut.oldest IS NULL OR created_at >= cut.oldest
)
SELECT
    workflow_name, (SELECT oldest FROM cut) AS oldest, count(*) AS ended,
    count(*) FILTER (WHERE status = 'SUCCESS') AS succeeded,
    count(*) FILTER (WHERE status IN ('FAILED', 'TIMEOUT')) AS failed,
    count(*) FILTER (WHERE status = 'CANCELLED') AS cancelled,
    max(duration_ms) FILTER (WHERE place = (timed * 50 + 99) / 100) AS duration_p50_ms,
    max(duration_ms) FILTER (WHERE place = (timed * 95 + 99) / 100) AS duration_p95_ms,
    max(completed_at) FILTER (WHERE status IN ('FAILED', 'TIMEOUT')) AS last_failed_at
FROM counted
GROUP BY workflow_name
ORDER BY ended DESC, workflow_name
LIMIT 1000
