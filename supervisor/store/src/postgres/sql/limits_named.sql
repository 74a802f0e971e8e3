-- $1: names.
SELECT name, total, per_key, key, origin, on_full, rate_count, rate_period_us, rate_burst, created_at, updated_at
FROM limits WHERE name = ANY ($1)
