-- What pauses may be about. ?1: a JSON array of ids.
SELECT id, queue, workflow_name, workflow_id, organization_id FROM executions
WHERE id IN (SELECT value FROM json_each(?1))
