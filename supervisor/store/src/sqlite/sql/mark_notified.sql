-- ?1: a JSON array of ids, ?2: now.
UPDATE executions SET notified_at = ?2
WHERE id IN (SELECT value FROM json_each(?1)) AND notified_at IS NULL AND completed_at IS NOT NULL
