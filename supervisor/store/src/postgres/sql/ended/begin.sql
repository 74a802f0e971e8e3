-- $1: what they came to, $2: the moment before which they ended, $3 and $4: the place behind which is looked, $5: how many, then
-- what narrows the walk. The oldest of them by when they were submitted, and whether they may go.
--
-- Key and order are the expressions of the indexes of lists, so that a step reads as many rows as it gives.
SELECT
    id, workflow_id, workflow_name, organization_id, created_at, completed_at,
    -- What is not published yet the sweep must find that publishes what a crash left.
    completed_at < $2 AND notified_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM unpublished_outcomes WHERE execution_id = executions.id)
    AND NOT EXISTS (
        SELECT FROM webhook_deliveries
        WHERE webhook_deliveries.execution_id = executions.id AND webhook_deliveries.due_at IS NOT NULL
    ) AS may_go
FROM executions
WHERE upper(status) <> 'RUNNING' AND completed_at IS NOT NULL
    AND (created_at AT TIME ZONE 'UTC') < ($2::timestamptz AT TIME ZONE 'UTC')
    AND (created_at AT TIME ZONE 'UTC', id) > ($3::timestamptz AT TIME ZONE 'UTC', $4::uuid)
