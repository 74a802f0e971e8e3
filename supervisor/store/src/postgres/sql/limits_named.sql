-- $1: names.
SELECT name, total, per_key, key, origin, on_full, created_at, updated_at
FROM limits WHERE name = ANY ($1)
