-- When the next waiting row becomes due. What has been due for long was found by a poll. ?1: now, ?2: a JSON array of the
-- queues that are served, and the empty text.
SELECT min(run_after) FROM executions
WHERE status = 'PENDING' AND waits_for IS NULL AND run_after > ?1 - 10000000 AND coalesce(queue, '') IN (SELECT value FROM json_each(?2))
