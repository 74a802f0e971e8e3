-- Forgets keys that nothing has started for in a while and nobody waits for: they stand as if nothing ever had. ?1: how many,
-- ?2: now.
DELETE FROM limit_rates WHERE (limit_name, key) IN (
    SELECT limit_name, key FROM limit_rates WHERE wake_at IS NULL AND next_at < ?2 - 60000000 LIMIT ?1
)
RETURNING key
