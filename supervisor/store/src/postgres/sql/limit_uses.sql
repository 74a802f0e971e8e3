-- How many run in each limit and wait for it; what waits is counted up to a hundred thousand in all.
SELECT name, sum(running)::bigint AS running, sum(waiting)::bigint AS waiting
FROM (
    SELECT name, 0 AS running, 0 AS waiting FROM limits
    UNION ALL
    SELECT limit_name, count(*), 0 FROM limit_holders WHERE runs GROUP BY limit_name
    UNION ALL
    SELECT split_part(waits_for, ':', 2), 0, count(*) FROM (
        (
            SELECT waits_for FROM executions
            WHERE status = 'PENDING' AND waits_for >= 'limit:' COLLATE "C" AND waits_for < 'limit;' COLLATE "C" LIMIT 100000
        )
        UNION ALL
        (
            SELECT waits_for FROM executions
            WHERE status = 'PENDING' AND waits_for >= 'rate:' COLLATE "C" AND waits_for < 'rate;' COLLATE "C" LIMIT 100000
        )
    ) AS waiting GROUP BY 1
) AS counted
GROUP BY name ORDER BY name COLLATE "C"
