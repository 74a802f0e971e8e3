    -- ?5: the states, as a JSON array, ?6: the organization, ?7: the workflow, ?8: the error's type. Each state's newest; the page is of these.
    SELECT newest.value FROM json_each(?5) AS wanted, json_each((
        SELECT json_group_array(id) FROM (
            SELECT id FROM executions INDEXED BY executions_by_organization_workflow_error
            WHERE organization_id = ?6 AND workflow_name = ?7 AND error_type = ?8 AND upper(status) = wanted.value
                AND created_at >= ?1 AND (created_at, id) < (?2, ?3)
            ORDER BY created_at DESC, id DESC
            LIMIT ?4
        )
    )) AS newest
