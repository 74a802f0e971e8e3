FROM executions INDEXED BY executions_listed_by_workflow
-- ?6: the name of the workflow.
WHERE workflow_name = ?6 AND upper(status) = ?1
