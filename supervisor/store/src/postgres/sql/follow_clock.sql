-- $1: how many at most. What was made later than now waits as long as it did when the clock went back, in the order in which it did;
-- what somebody gave a moment keeps it. The newest row of all says how far the clock went back.
WITH made_later AS (
    SELECT id FROM executions
    WHERE created_at > clock_timestamp() + interval '1 second' AND status = 'PENDING' AND (run_after = created_at OR attempts_charged > 0)
    ORDER BY created_at, id
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
), step AS (
    SELECT max(created_at) - clock_timestamp() AS back FROM executions
)
UPDATE executions SET created_at = created_at - step.back, run_after = run_after - step.back
FROM step
WHERE id IN (SELECT id FROM made_later)
RETURNING id
