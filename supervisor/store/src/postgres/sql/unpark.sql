-- Gives rows back to the claim, in the order of their queues. $1: what they wait for, $2: how many.
UPDATE executions SET waits_for = NULL, waited_for = NULL
WHERE id = ANY (ARRAY(
    SELECT id FROM executions
    WHERE status = 'PENDING' AND waits_for = $1
    ORDER BY coalesce(queue, ''), (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'
    LIMIT $2
    FOR UPDATE SKIP LOCKED
))
RETURNING id
