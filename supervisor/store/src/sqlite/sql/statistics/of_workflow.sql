        INDEXED BY executions_listed_by_workflow
    -- ?3: the workflow.
    WHERE workflow_name = ?3
