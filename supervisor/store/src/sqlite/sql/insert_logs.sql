-- ?1: a JSON array of lines.
INSERT INTO execution_logs (
    execution_id, attempt, sequence, logged_at, level, stream, logger, message, fields
)
SELECT
    value ->> 'id', value ->> 'attempt', value ->> 'sequence', value ->> 'at', value ->> 'level',
    value ->> 'stream', value ->> 'logger', value ->> 'message', value ->> 'fields'
FROM json_each(?1)
