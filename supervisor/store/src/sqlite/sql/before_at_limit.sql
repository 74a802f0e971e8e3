-- How many wait for something before this one, in its queue, a thousand at most. ?1: the id, ?2: for what.
SELECT count(*) AS before FROM (
    SELECT 1 FROM executions AS own, executions AS other
    WHERE own.id = ?1 AND own.status = 'PENDING'
        AND other.status = 'PENDING' AND other.waits_for = ?2
        AND coalesce(other.queue, '') = coalesce(own.queue, '')
        AND other.run_after - other.priority * 60000000 < own.run_after - own.priority * 60000000
    LIMIT 1000
)
