-- PENDING rows that are due, in the order of the queue. ?1: now, ?2: how many.
SELECT
    id, attempt, attempts_charged, max_attempts, cancel_requested_at IS NOT NULL AS cancel_requested, lease_owner
FROM executions
WHERE status = 'PENDING' AND run_after <= ?1
ORDER BY run_after - priority * 60000000
LIMIT ?2
