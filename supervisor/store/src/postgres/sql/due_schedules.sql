-- $1: at most so many. With each, whether its last execution is not over: looked up for each, however many executions there are.
SELECT
    schedules.id, schedules.name, schedules.workflow, schedules.organization_id, schedules.cron, schedules.time_zone, schedules.queue,
    schedules.parameters, schedules.overlap, schedules.missed, schedules.missed_seconds, schedules.jitter_seconds, schedules.is_paused,
    schedules.next_at, schedules.due_at, schedules.last_at, schedules.last_execution, schedules.last_outcome,
    (SELECT clock_timestamp()) AS now, last.is_running
FROM schedules, LATERAL (
    SELECT EXISTS (
        SELECT FROM executions WHERE executions.id = schedules.last_execution AND executions.completed_at IS NULL
    ) AS is_running
    OFFSET 0
) AS last
-- Two looks into an index each.
WHERE schedules.id = ANY (ARRAY(
        SELECT id FROM schedules
        WHERE NOT is_paused AND coalesce(due_at, '-infinity'::timestamptz) <= (SELECT clock_timestamp())
        UNION ALL
        -- The last one is far ahead: the clock was set back.
        SELECT id FROM schedules
        WHERE NOT is_paused AND last_at > (SELECT clock_timestamp()) + interval '3 hours'
    ))
    -- What waits for its execution before is left out, so that many of those hide nobody.
    AND NOT (schedules.overlap = 'queue' AND last.is_running)
ORDER BY coalesce(schedules.due_at, '-infinity'::timestamptz)
LIMIT $1
