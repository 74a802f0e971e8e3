    AND upper(status) <> 'RUNNING' AND completed_at IS NOT NULL AND created_at < ?2 AND (created_at, id) > (?3, ?4)
ORDER BY created_at, id
LIMIT ?5
