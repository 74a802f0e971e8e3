    SELECT id FROM executions INDEXED BY executions_newest
    WHERE created_at >= ?1 AND (created_at, id) < (?2, ?3)
    ORDER BY created_at DESC, id DESC
    LIMIT ?4
