-- How long it is until somebody who waits for a rate is to be let go. ?1: now.
SELECT min(wake_at) - ?1 AS wait_us FROM limit_rates WHERE wake_at IS NOT NULL
