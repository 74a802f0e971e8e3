-- Some of those that run in a limit. $1: its name, $2: the key, or null for any, $3: how many.
SELECT execution_id AS id FROM limit_holders
WHERE limit_name = $1 AND ($2::text IS NULL OR key = $2) AND runs
LIMIT $3
