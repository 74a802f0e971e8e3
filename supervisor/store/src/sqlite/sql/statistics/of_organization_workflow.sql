        INDEXED BY executions_listed_by_organization_workflow
    -- ?3: the organization, ?4: the workflow.
    WHERE organization_id = ?3 AND workflow_name = ?4
