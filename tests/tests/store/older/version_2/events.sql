SELECT * FROM execution_events WHERE execution_id = $1 ORDER BY number
