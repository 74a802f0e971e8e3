-- Gives back to the claim the next of those that wait in one queue. ?1: what they wait for, ?2: the queue, or the empty
-- text, ?3: how many have room. Those that were given back and are not claimed yet have their places.
UPDATE executions SET waits_for = NULL, waited_for = ?1
WHERE rowid IN (
    SELECT rowid FROM executions
    WHERE status = 'PENDING' AND waits_for = ?1 AND coalesce(queue, '') = ?2
    ORDER BY run_after - priority * 60000000
    LIMIT max(0, ?3 - (
        SELECT count(*) FROM executions
        WHERE status = 'PENDING' AND waits_for IS NULL AND waited_for = ?1 AND coalesce(queue, '') = ?2
    ))
)
RETURNING id
