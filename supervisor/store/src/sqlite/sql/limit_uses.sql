-- How many run in each limit and wait for it; what waits is counted up to a hundred thousand in all.
SELECT name, sum(running) AS running, sum(waiting) AS waiting
FROM (
    SELECT name, 0 AS running, 0 AS waiting FROM limits
    UNION ALL
    SELECT limit_name, count(*), 0 FROM limit_holders WHERE runs GROUP BY limit_name
    UNION ALL
    SELECT substr(rest, 1, instr(rest || ':', ':') - 1), 0, count(*) FROM (
        SELECT rest FROM (
            SELECT substr(waits_for, 7) AS rest FROM executions
            WHERE status = 'PENDING' AND waits_for >= 'limit:' AND waits_for < 'limit;' LIMIT 100000
        )
        UNION ALL
        SELECT rest FROM (
            SELECT substr(waits_for, 6) AS rest FROM executions
            WHERE status = 'PENDING' AND waits_for >= 'rate:' AND waits_for < 'rate;' LIMIT 100000
        )
    ) GROUP BY 1
)
GROUP BY name ORDER BY name
