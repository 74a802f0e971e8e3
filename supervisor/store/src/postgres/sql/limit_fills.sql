-- How full limits are. $1: names, $2: keys. Where a total is not set nobody needs its count.
SELECT
    held.name, held.key, limits.total, limits.per_key,
    CASE WHEN limits.total IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND runs
    ) END AS running,
    CASE WHEN limits.per_key IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND limit_holders.key = held.key AND runs
    ) END AS running_of_key,
    limits.rate_count, limits.rate_period_us, limits.rate_burst,
    (extract(epoch FROM limit_rates.next_at) * 1000000)::bigint AS rate_next_us,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us
FROM UNNEST($1::text[], $2::text[]) AS held (name, key)
    LEFT JOIN limits ON limits.name = held.name
    LEFT JOIN limit_rates
        ON limits.rate_count IS NOT NULL AND limit_rates.limit_name = held.name AND limit_rates.key = held.key
