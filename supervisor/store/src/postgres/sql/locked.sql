-- Which rows somebody has locked. $1: ids. The others are locked by this statement until its transaction ends.
WITH free AS MATERIALIZED (
    SELECT id FROM executions WHERE id = ANY ($1) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT id FROM executions WHERE id = ANY ($1) AND id NOT IN (SELECT id FROM free)
