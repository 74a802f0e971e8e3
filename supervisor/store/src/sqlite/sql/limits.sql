SELECT name, total, per_key, key, origin, on_full, created_at, updated_at
FROM limits ORDER BY name
