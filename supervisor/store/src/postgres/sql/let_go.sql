-- Gives back to the claim, in each queue, the next of those that wait. $1: what they wait for, $2: how many of each have
-- room. Those that were given back and are not claimed yet have their places. The queues are found one by one in the
-- index, so that it does not matter how many wait in each.
WITH RECURSIVE queues AS (
    SELECT waits_for, room, (
        SELECT coalesce(queue, '') FROM executions
        WHERE status = 'PENDING' AND executions.waits_for = asked.waits_for ORDER BY coalesce(queue, '') LIMIT 1
    ) AS queue
    FROM UNNEST($1::text[], $2::bigint[]) AS asked (waits_for, room)
    UNION ALL
    SELECT waits_for, room, (
        SELECT coalesce(executions.queue, '') FROM executions
        WHERE status = 'PENDING' AND executions.waits_for = queues.waits_for
            AND coalesce(executions.queue, '') > queues.queue
        ORDER BY coalesce(executions.queue, '') LIMIT 1
    )
    FROM queues WHERE queues.queue IS NOT NULL
), next AS (
    SELECT id FROM queues, LATERAL (
        SELECT id FROM executions
        WHERE status = 'PENDING' AND executions.waits_for = queues.waits_for
            AND coalesce(executions.queue, '') = queues.queue
        ORDER BY (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'
        LIMIT greatest(0, room - (
            SELECT count(*) FROM executions
            WHERE status = 'PENDING' AND executions.waits_for IS NULL AND waited_for = queues.waits_for
                AND coalesce(executions.queue, '') = queues.queue
        ))
        FOR UPDATE SKIP LOCKED
    ) AS first
    WHERE queues.queue IS NOT NULL
)
UPDATE executions SET waits_for = NULL, waited_for = waits_for
WHERE id = ANY (ARRAY(SELECT id FROM next))
RETURNING id
