-- What pauses may be about. $1: ids.
SELECT id, queue, workflow_name, workflow_id, organization_id FROM executions WHERE id = ANY ($1)
