-- ?1: a JSON array of executions that are over.
DELETE FROM executions
WHERE id IN (SELECT value FROM json_each(?1)) AND completed_at IS NOT NULL AND notified_at IS NOT NULL
RETURNING id
