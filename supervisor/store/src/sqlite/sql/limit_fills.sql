-- How full limits are. ?1: a JSON array of limits with their keys. Where a total is not set nobody needs its count.
SELECT
    held.name, held.key, limits.total, limits.per_key,
    CASE WHEN limits.total IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND runs
    ) END AS running,
    CASE WHEN limits.per_key IS NULL THEN 0 ELSE (
        SELECT count(*) FROM limit_holders WHERE limit_name = held.name AND limit_holders.key = held.key AND runs
    ) END AS running_of_key
FROM (SELECT value ->> 'name' AS name, value ->> 'key' AS key FROM json_each(?1)) AS held
    LEFT JOIN limits ON limits.name = held.name
