        INDEXED BY executions_listed_by_organization
    -- ?3: the organization.
    WHERE organization_id = ?3
