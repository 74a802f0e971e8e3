-- ?1: now, ?2: how many at most. What was made later than now waits as long as it did when the clock went back, in the order in which it
-- did; what somebody gave a moment keeps it. The newest of them says how far the clock went back.
UPDATE executions SET created_at = created_at - step.back, run_after = run_after - step.back
FROM (
    SELECT max(created_at) - ?1 AS back FROM executions
    WHERE upper(status) = 'PENDING' AND upper(status) <> 'RUNNING' AND created_at > ?1 + 1000000
        AND (run_after = created_at OR attempt > 0)
) AS step
WHERE id IN (
    SELECT id FROM executions
    WHERE upper(status) = 'PENDING' AND upper(status) <> 'RUNNING' AND created_at > ?1 + 1000000
        AND (run_after = created_at OR attempt > 0)
    ORDER BY created_at, id
    LIMIT ?2
)
RETURNING id
