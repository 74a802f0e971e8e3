-- How full limits are. $1: names, $2: keys. Where a total is not set nobody needs its count.
SELECT
    held.name, held.key, limits.total, limits.per_key,
    CASE WHEN limits.total IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND runs
    ) END AS running,
    CASE WHEN limits.per_key IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND limit_holders.key = held.key AND runs
    ) END AS running_of_key
FROM UNNEST($1::text[], $2::text[]) AS held (name, key) LEFT JOIN limits ON limits.name = held.name
