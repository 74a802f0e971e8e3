-- Rows of a workflow that wait, in the order in which they were made. ?1: its name, ?2 and ?3: behind which, ?4: how many.
SELECT id, created_at FROM executions INDEXED BY executions_listed_by_workflow
WHERE workflow_name = ?1 AND upper(status) = 'PENDING' AND upper(status) <> 'RUNNING' AND (created_at, id) > (?2, ?3)
ORDER BY created_at, id
LIMIT ?4
