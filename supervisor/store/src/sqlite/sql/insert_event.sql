INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
