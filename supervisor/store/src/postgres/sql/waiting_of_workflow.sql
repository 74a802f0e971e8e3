-- Rows of a workflow that wait, in the order in which they were made. $1: its name, $2 and $3: behind which, $4: how many.
-- Key and order are the expressions of the index of lists: see `list/begin.sql`.
SELECT id, created_at FROM executions
WHERE workflow_name || '/' || status = $1::text || '/PENDING' AND upper(status) <> 'RUNNING'
    AND (created_at AT TIME ZONE 'UTC', id) > ($2::timestamptz AT TIME ZONE 'UTC', $3::uuid)
ORDER BY created_at AT TIME ZONE 'UTC', id
LIMIT $4
