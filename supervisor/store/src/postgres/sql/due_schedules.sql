-- $1: at most so many. With each, which of its executions are not over: looked up for each, however many executions there are.
SELECT
    schedules.id, schedules.name, schedules.workflow, schedules.organization_id, schedules.cron, schedules.time_zone, schedules.queue,
    schedules.parameters, schedules.overlap, schedules.missed, schedules.missed_seconds, schedules.jitter_seconds, schedules.is_paused,
    schedules.next_at, schedules.due_at, schedules.last_at, schedules.last_execution, schedules.last_outcome,
    (SELECT clock_timestamp()) AS now, coalesce(before.unfinished, '[]') AS unfinished, before.ended_at
FROM schedules, LATERAL (
    SELECT
        json_agg(executions.id) FILTER (WHERE executions.completed_at IS NULL)::text AS unfinished,
        max(executions.completed_at) AS ended_at
    FROM executions
    WHERE executions.id = ANY (schedules.earlier_executions || schedules.last_execution)
) AS before
-- Two looks into an index each.
WHERE schedules.id = ANY (ARRAY(
        SELECT id FROM schedules
        WHERE NOT is_paused AND coalesce(due_at, '-infinity'::timestamptz) <= (SELECT clock_timestamp())
        UNION ALL
        -- The last one is far ahead: the clock was set back.
        SELECT id FROM schedules
        WHERE NOT is_paused AND last_at > (SELECT clock_timestamp()) + interval '3 hours'
    ))
    -- What waits for its executions before is left out, so that many of those hide nobody: what is made up for is due later than it was.
    AND (
        before.unfinished IS NULL
        OR NOT (
            schedules.overlap = 'queue'
            OR schedules.overlap = 'skip' AND schedules.missed = 'run_all'
            AND schedules.due_at > schedules.next_at + schedules.jitter_seconds * interval '1 second'
        )
    )
ORDER BY coalesce(schedules.due_at, '-infinity'::timestamptz)
LIMIT $1
