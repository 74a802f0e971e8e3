INSERT INTO execution_logs (execution_id, attempt, sequence, logged_at, level, stream, logger, message, fields)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
