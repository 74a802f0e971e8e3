-- How many wait for something before this one, in its queue, a thousand at most. $1: the id, $2: for what.
SELECT count(*) AS before
FROM executions AS own, LATERAL (
    SELECT 1 FROM executions AS other
    WHERE other.status = 'PENDING' AND other.waits_for = $2
        AND coalesce(other.queue, '') = coalesce(own.queue, '')
        AND (other.run_after AT TIME ZONE 'UTC') - other.priority * interval '1 minute'
            < (own.run_after AT TIME ZONE 'UTC') - own.priority * interval '1 minute'
    LIMIT 1000
) AS before
WHERE own.id = $1 AND own.status = 'PENDING'
