-- The rates at which it is time to let somebody go, each given once. $1: how many.
UPDATE limit_rates SET wake_at = NULL
WHERE (limit_name, key) IN (
    SELECT limit_name, key FROM limit_rates
    WHERE wake_at <= (SELECT clock_timestamp())
    ORDER BY wake_at
    LIMIT $1
    FOR UPDATE SKIP LOCKED
)
RETURNING limit_name AS name, key
