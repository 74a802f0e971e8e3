-- $1: which, $2: the tick each stood at, $3: the next, $4: when that is due, $5: the moment of what was done, $6: its execution,
-- $7: what it came to. Of those who see the same tick one comes through; nobody waits for another.
WITH ours AS (
    SELECT schedules.id, step.next_at, step.due_at, step.done, step.execution, step.outcome
    FROM schedules
    JOIN unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::uuid[], $7::text[])
        AS step (id, stood_at, next_at, due_at, done, execution, outcome) ON schedules.id = step.id
    WHERE schedules.next_at IS NOT DISTINCT FROM step.stood_at AND NOT schedules.is_paused
    FOR UPDATE OF schedules SKIP LOCKED
)
UPDATE schedules
SET
    next_at = ours.next_at,
    due_at = ours.due_at,
    last_at = coalesce(ours.done, schedules.last_at),
    last_execution = coalesce(ours.execution, schedules.last_execution),
    last_outcome = coalesce(ours.outcome, schedules.last_outcome)
FROM ours
WHERE schedules.id = ours.id
RETURNING schedules.id
