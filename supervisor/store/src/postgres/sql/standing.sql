-- $1: ids.
SELECT id, attempt, lease_owner, status, error_type FROM executions WHERE id = ANY ($1)
