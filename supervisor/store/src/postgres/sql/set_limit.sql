-- $1: the name, $2: the total, $3: for each key, $4: what it counts by, $5: who says so, $6: what happens when it is full,
-- $7 and $8: how many start in how many microseconds, $9: how many of them early together.
INSERT INTO limits (name, total, per_key, key, origin, on_full, created_at, updated_at, rate_count, rate_period_us, rate_burst)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp(), $7, $8, $9)
ON CONFLICT (name) DO UPDATE SET
    total = excluded.total, per_key = excluded.per_key, key = excluded.key, origin = excluded.origin,
    on_full = excluded.on_full, rate_count = excluded.rate_count,
    rate_period_us = excluded.rate_period_us, rate_burst = excluded.rate_burst, updated_at = excluded.updated_at
RETURNING name, total, per_key, key, origin, on_full, rate_count, rate_period_us, rate_burst, created_at, updated_at
