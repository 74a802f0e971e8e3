-- How many rows of its organization that are due go before this one in its queue, a thousand at most; of those that are as
-- old the ones that came first. ?1: the id, ?2: now, ?3: a JSON array of what rows wait for that are let go in a moment.
SELECT min(count(*), 1000) AS ahead FROM (
    SELECT one FROM (
        SELECT 1 AS one FROM executions AS own, executions AS other
        WHERE own.id = ?1 AND own.status = 'PENDING'
            AND other.status = 'PENDING' AND other.waits_for IS NULL AND coalesce(other.queue, '') = coalesce(own.queue, '')
            AND coalesce(other.organization_id, '') = coalesce(own.organization_id, '')
            AND other.run_after - other.priority * 60000000 <= own.run_after - own.priority * 60000000
            AND (other.id < own.id OR other.run_after - other.priority * 60000000 < own.run_after - own.priority * 60000000)
            AND other.run_after <= ?2
        LIMIT 1000
    )
    UNION ALL
    SELECT one FROM (
        SELECT 1 AS one FROM executions AS own, executions AS other
        WHERE own.id = ?1 AND own.status = 'PENDING'
            AND other.status = 'PENDING' AND other.waits_for IN (SELECT value FROM json_each(?3))
            AND coalesce(other.queue, '') = coalesce(own.queue, '')
            AND coalesce(other.organization_id, '') = coalesce(own.organization_id, '')
            AND other.run_after - other.priority * 60000000 <= own.run_after - own.priority * 60000000
            AND (other.id < own.id OR other.run_after - other.priority * 60000000 < own.run_after - own.priority * 60000000)
            AND other.run_after <= ?2
        LIMIT 1000
    )
)
