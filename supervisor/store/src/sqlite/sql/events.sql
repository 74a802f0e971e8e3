SELECT at, event, attempt, supervisor, detail
FROM execution_events WHERE execution_id = ?1 ORDER BY rowid
