-- ?1: a JSON array of executions.
DELETE FROM execution_events WHERE execution_id IN (SELECT value FROM json_each(?1))
RETURNING 1 AS one
