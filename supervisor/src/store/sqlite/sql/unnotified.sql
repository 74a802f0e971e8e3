-- ?1: ended until this moment, ?2: how many.
SELECT * FROM executions
WHERE notified_at IS NULL AND completed_at <= ?1
ORDER BY completed_at
LIMIT ?2
