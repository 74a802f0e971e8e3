-- $1: ids. Whether a row is marked already is not asked: the index of those that are not is no way to find it.
UPDATE executions SET notified_at = clock_timestamp()
WHERE id = ANY ($1) AND completed_at IS NOT NULL
