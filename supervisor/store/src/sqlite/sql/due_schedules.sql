-- ?1: at most so many, ?2: now. With each, whether its last execution is not over.
SELECT
    schedules.id, schedules.name, schedules.workflow, schedules.organization_id, schedules.cron, schedules.time_zone, schedules.queue,
    schedules.parameters, schedules.overlap, schedules.missed, schedules.missed_seconds, schedules.jitter_seconds, schedules.is_paused,
    schedules.next_at, schedules.due_at, schedules.last_at, schedules.last_execution, schedules.last_outcome,
    ?2 AS now, executions.id IS NOT NULL AND executions.completed_at IS NULL AS is_running
FROM schedules
LEFT JOIN executions ON schedules.last_execution = executions.id
-- Two looks into an index each.
WHERE schedules.id IN (
        SELECT id FROM schedules WHERE is_paused = 0 AND coalesce(due_at, 0) <= ?2
        UNION ALL
        -- The last one is far ahead, by more than three hours: the clock was set back.
        SELECT id FROM schedules WHERE is_paused = 0 AND last_at > ?2 + 10800000000
    )
    -- What waits for its execution before is left out, so that many of those hide nobody.
    AND NOT (schedules.overlap = 'queue' AND executions.id IS NOT NULL AND executions.completed_at IS NULL)
ORDER BY coalesce(schedules.due_at, 0)
LIMIT ?1
