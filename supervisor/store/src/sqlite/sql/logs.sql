-- ?1: the id, ?2 and ?3: after this attempt and sequence, ?4: how many.
SELECT attempt, sequence, logged_at, level, stream, logger, message, fields
FROM execution_logs
WHERE execution_id = ?1 AND (attempt, sequence) > (?2, ?3)
ORDER BY attempt, sequence
LIMIT ?4
