-- ?1: a JSON array of ids.
SELECT id, attempt, lease_owner, status, error_type
FROM executions
WHERE id IN (SELECT value FROM json_each(?1))
