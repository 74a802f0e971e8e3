-- How many rows of its organization that are due go before this one in its queue, a thousand at most. ?1: the id, ?2: now.
SELECT count(*) AS ahead FROM (
    SELECT 1 FROM executions AS own, executions AS other
    WHERE own.id = ?1 AND own.status = 'PENDING'
        AND other.status = 'PENDING' AND other.waits_for IS NULL AND coalesce(other.queue, '') = coalesce(own.queue, '')
        AND coalesce(other.organization_id, '') = coalesce(own.organization_id, '')
        AND other.run_after - other.priority * 60000000 < own.run_after - own.priority * 60000000
        AND other.run_after <= ?2
    LIMIT 1000
)
