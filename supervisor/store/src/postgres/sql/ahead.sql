-- How many rows of its organization that are due go before this one in its queue, a thousand at most; of those that are as
-- old the ones that came first. $1: the id, $2: what rows wait for that are let go in a moment.
SELECT least(count(*), 1000) AS ahead
FROM executions AS own, LATERAL (
    (
        SELECT 1 FROM executions AS other
        WHERE other.status = 'PENDING' AND other.waits_for IS NULL AND coalesce(other.queue, '') = coalesce(own.queue, '')
            AND coalesce(other.organization_id, '00000000-0000-0000-0000-000000000000')
                = coalesce(own.organization_id, '00000000-0000-0000-0000-000000000000')
            AND (other.run_after AT TIME ZONE 'UTC') - other.priority * interval '1 minute'
                <= (own.run_after AT TIME ZONE 'UTC') - own.priority * interval '1 minute'
            AND (other.id < own.id OR (other.run_after AT TIME ZONE 'UTC') - other.priority * interval '1 minute'
                < (own.run_after AT TIME ZONE 'UTC') - own.priority * interval '1 minute')
            AND other.run_after <= (SELECT clock_timestamp())
        LIMIT 1000
    )
    UNION ALL
    (
        SELECT 1 FROM UNNEST($2::text[]) AS resumed (waits_for), executions AS other
        WHERE other.status = 'PENDING' AND other.waits_for = resumed.waits_for
            AND coalesce(other.queue, '') = coalesce(own.queue, '')
            AND (other.run_after AT TIME ZONE 'UTC') - other.priority * interval '1 minute'
                <= (own.run_after AT TIME ZONE 'UTC') - own.priority * interval '1 minute'
            AND (other.id < own.id OR (other.run_after AT TIME ZONE 'UTC') - other.priority * interval '1 minute'
                < (own.run_after AT TIME ZONE 'UTC') - own.priority * interval '1 minute')
            AND coalesce(other.organization_id, '00000000-0000-0000-0000-000000000000')
                = coalesce(own.organization_id, '00000000-0000-0000-0000-000000000000')
            AND other.run_after <= (SELECT clock_timestamp())
        LIMIT 1000
    )
) AS before
WHERE own.id = $1 AND own.status = 'PENDING'
