-- How full limits are. ?1: a JSON array of limits with their keys, ?2: now. Where a total is not set nobody needs its count.
SELECT
    held.name, held.key, limits.total, limits.per_key,
    CASE WHEN limits.total IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND runs
    ) END AS running,
    CASE WHEN limits.per_key IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND limit_holders.key = held.key AND runs
    ) END AS running_of_key,
    limits.rate_count, limits.rate_period_us, limits.rate_burst, limit_rates.next_at AS rate_next_us, ?2 AS now_us
FROM (SELECT value ->> 'name' AS name, value ->> 'key' AS key FROM json_each(?1)) AS held
    LEFT JOIN limits ON limits.name = held.name
    LEFT JOIN limit_rates ON limit_rates.limit_name = held.name AND limit_rates.key = held.key
