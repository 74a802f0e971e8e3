-- ?1: a JSON array of ids.
SELECT * FROM executions WHERE id IN (SELECT value FROM json_each(?1))
