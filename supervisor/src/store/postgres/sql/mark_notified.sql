-- $1: ids.
UPDATE executions SET notified_at = clock_timestamp()
WHERE id = ANY ($1) AND notified_at IS NULL AND completed_at IS NOT NULL
