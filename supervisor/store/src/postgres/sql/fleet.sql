-- The supervisors that were seen within a day or hold anything still, by their starts; a thousand at most.
WITH held AS (
    SELECT lease_owner, count(*) AS holds FROM executions
    WHERE lease_owner IS NOT NULL AND completed_at IS NULL AND status = 'RUNNING'
    GROUP BY lease_owner
)
SELECT
    id, host, process_id, data_dir, http_address, started_at, version, state, coalesce(holds, 0) AS holds,
    (extract(epoch FROM (SELECT clock_timestamp()) - last_seen_at) * 1000000)::bigint AS silent_us
FROM supervisors LEFT JOIN held ON held.lease_owner = supervisors.id
WHERE last_seen_at > (SELECT clock_timestamp()) - interval '1 day' OR holds > 0
ORDER BY started_at, id
LIMIT 1000
