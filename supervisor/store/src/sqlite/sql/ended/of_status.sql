FROM executions INDEXED BY executions_listed_by_status
WHERE upper(status) = ?1
