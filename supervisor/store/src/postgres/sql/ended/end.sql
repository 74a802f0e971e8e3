ORDER BY created_at AT TIME ZONE 'UTC', id
LIMIT $5
