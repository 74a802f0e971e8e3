-- $1: ended so many microseconds ago, $2: how many.
SELECT * FROM executions
WHERE notified_at IS NULL AND completed_at <= clock_timestamp() - $1 * interval '1 microsecond'
ORDER BY completed_at
LIMIT $2
