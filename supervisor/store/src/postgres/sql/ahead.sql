-- How many rows of its organization that are due go before this one in its queue, a thousand at most. $1: the id.
SELECT count(*) AS ahead
FROM executions AS own, LATERAL (
    SELECT 1 FROM executions AS other
    WHERE other.status = 'PENDING' AND other.waits_for IS NULL AND coalesce(other.queue, '') = coalesce(own.queue, '')
        AND coalesce(other.organization_id, '00000000-0000-0000-0000-000000000000')
            = coalesce(own.organization_id, '00000000-0000-0000-0000-000000000000')
        AND (other.run_after AT TIME ZONE 'UTC') - other.priority * interval '1 minute'
            < (own.run_after AT TIME ZONE 'UTC') - own.priority * interval '1 minute'
        AND other.run_after <= (SELECT clock_timestamp())
    LIMIT 1000
) AS before
WHERE own.id = $1 AND own.status = 'PENDING'
