-- When the next waiting row becomes due. What has been due for long was found by a poll, or is somebody else's.
-- $1: the queues that are served, and the empty text.
SELECT (extract(epoch FROM nullif(min(run_after), 'infinity') - clock_timestamp()) * 1000000)::bigint AS wait_us
FROM executions
WHERE status = 'PENDING' AND waits_for IS NULL AND run_after > (SELECT clock_timestamp()) - interval '10 seconds'
    AND coalesce(queue, '') = ANY ($1)
