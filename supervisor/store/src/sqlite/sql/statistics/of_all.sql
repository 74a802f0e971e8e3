        INDEXED BY executions_listed_by_status
