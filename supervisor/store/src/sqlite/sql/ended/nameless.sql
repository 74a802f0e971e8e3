FROM executions INDEXED BY executions_listed_by_workflow
WHERE workflow_name IS NULL AND upper(status) = ?1
