-- ?1: now. The supervisors that were seen within a day or hold anything still, by their starts; a thousand at most.
WITH held AS (
    SELECT lease_owner, count(*) AS holds FROM executions WHERE status = 'RUNNING' GROUP BY lease_owner
)
SELECT
    id, host, process_id, data_dir, http_address, started_at, version, state, coalesce(holds, 0) AS holds,
    ?1 - last_seen_at AS silent_us
FROM supervisors LEFT JOIN held ON held.lease_owner = supervisors.id
WHERE last_seen_at > ?1 - 86400000000 OR holds > 0
ORDER BY started_at, id
LIMIT 1000
