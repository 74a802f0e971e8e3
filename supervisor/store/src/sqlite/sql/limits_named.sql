-- ?1: a JSON array of names.
SELECT name, total, per_key, key, origin, on_full, rate_count, rate_period_us, rate_burst, created_at, updated_at
FROM limits WHERE name IN (SELECT value FROM json_each(?1))
