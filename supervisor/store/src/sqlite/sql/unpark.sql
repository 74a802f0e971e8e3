-- Gives rows back to the claim, in the order of their queues. ?1: what they wait for, ?2: how many.
UPDATE executions SET waits_for = NULL, waited_for = NULL
WHERE rowid IN (
    SELECT rowid FROM executions
    WHERE status = 'PENDING' AND waits_for = ?1
    ORDER BY coalesce(queue, ''), run_after - priority * 60000000
    LIMIT ?2
)
RETURNING id
