-- $1: executions. Those that are over are told to whoever is to know.
WITH written AS (
    SELECT id, attempt, limits, status, workflow_name, workflow_id, organization_id, webhook FROM executions
    WHERE id = ANY ($1::uuid[]) AND completed_at IS NOT NULL
), told AS (
