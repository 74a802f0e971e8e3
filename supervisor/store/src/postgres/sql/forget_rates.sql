-- Forgets keys that nothing has started for in a while and nobody waits for: they stand as if nothing ever had. $1: how many.
DELETE FROM limit_rates WHERE (limit_name, key) IN (
    SELECT limit_name, key FROM limit_rates
    WHERE wake_at IS NULL AND next_at < (SELECT clock_timestamp()) - interval '1 minute'
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING key
