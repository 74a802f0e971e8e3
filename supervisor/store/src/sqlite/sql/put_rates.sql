-- Notes how rates stand. ?1: a JSON array of (name, key, when the next start would come, when somebody who waits is to be let
-- go), ?2: whether the last counts where it is null.
INSERT INTO limit_rates (limit_name, key, next_at, wake_at)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)
WHERE true
ON CONFLICT (limit_name, key) DO UPDATE SET
    next_at = excluded.next_at,
    wake_at = CASE WHEN ?2 THEN excluded.wake_at ELSE coalesce(excluded.wake_at, limit_rates.wake_at) END
