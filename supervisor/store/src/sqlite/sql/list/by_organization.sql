    -- ?5: the states, as a JSON array, ?6: the organization. The newest of each state; the page is of these.
    SELECT resting.value FROM json_each(?5) AS wanted, json_each((
        SELECT json_group_array(id) FROM (
            SELECT id FROM executions INDEXED BY executions_listed_by_organization
            WHERE organization_id = ?6 AND upper(status) = wanted.value AND upper(status) <> 'RUNNING'
                AND created_at >= ?1 AND (created_at, id) < (?2, ?3)
            ORDER BY created_at DESC, id DESC
            LIMIT ?4
        )
    )) AS resting
    UNION ALL
    SELECT running.id FROM (
        SELECT id FROM executions INDEXED BY executions_running
        WHERE status = 'RUNNING' AND organization_id = ?6 AND 'RUNNING' IN (SELECT value FROM json_each(?5))
            AND created_at >= ?1 AND (created_at, id) < (?2, ?3)
        ORDER BY created_at DESC, id DESC
        LIMIT ?4
    ) AS running
