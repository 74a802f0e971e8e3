))
ORDER BY created_at DESC, id DESC
