    -- ?5: the states, as a JSON array, ?6: the workflow. Each state's newest; the page is of these.
    SELECT newest.value FROM json_each(?5) AS wanted, json_each((
        SELECT json_group_array(id) FROM (
            SELECT id FROM executions INDEXED BY executions_by_workflow
            WHERE workflow_name = ?6 AND upper(status) = wanted.value
                AND created_at >= ?1 AND (created_at, id) < (?2, ?3)
            ORDER BY created_at DESC, id DESC
            LIMIT ?4
        )
    )) AS newest
