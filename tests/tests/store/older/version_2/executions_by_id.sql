-- $1: ids.
SELECT * FROM executions WHERE id = ANY ($1)
