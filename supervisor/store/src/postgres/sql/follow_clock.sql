-- $1: how many at most. What was made later than now waits as long as it did when the clock went back, in the order in which it did;
-- what somebody gave a moment keeps it. The newest of them says how far the clock went back.
WITH made_later AS (
    SELECT id FROM executions
    WHERE upper(status) = 'PENDING' AND upper(status) <> 'RUNNING'
        AND created_at AT TIME ZONE 'UTC' > ((SELECT clock_timestamp()) + interval '1 second') AT TIME ZONE 'UTC' AND created_at < 'infinity'
        AND (run_after = created_at OR attempt > 0)
    ORDER BY created_at AT TIME ZONE 'UTC', id
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
), step AS (
    SELECT max(created_at) - clock_timestamp() AS back FROM executions
    WHERE upper(status) = 'PENDING' AND upper(status) <> 'RUNNING'
        AND created_at AT TIME ZONE 'UTC' > ((SELECT clock_timestamp()) + interval '1 second') AT TIME ZONE 'UTC' AND created_at < 'infinity'
        AND (run_after = created_at OR attempt > 0)
)
UPDATE executions SET created_at = created_at - step.back, run_after = run_after - step.back
FROM step
WHERE id IN (SELECT id FROM made_later)
RETURNING id
