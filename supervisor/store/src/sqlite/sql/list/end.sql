)
ORDER BY created_at DESC, id DESC
LIMIT ?4
