-- How long it is until somebody who waits for a rate is to be let go.
SELECT (extract(epoch FROM min(wake_at) - clock_timestamp()) * 1000000)::bigint AS wait_us
FROM limit_rates WHERE wake_at IS NOT NULL
