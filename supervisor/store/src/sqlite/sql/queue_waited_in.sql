-- The first queue after another in which something is waited for. ?1: what is waited for, ?2: the queue before, or null.
SELECT min(coalesce(queue, '')) AS queue FROM executions
WHERE status = 'PENDING' AND waits_for = ?1 AND (?2 IS NULL OR coalesce(queue, '') > ?2)
