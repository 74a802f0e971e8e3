-- ?1: at most so many, ?2: now. With each, which of its executions are not over.
WITH due AS MATERIALIZED (
    SELECT
        schedules.id AS schedule_id,
        json_group_array(executions.id) FILTER (WHERE executions.id IS NOT NULL AND executions.completed_at IS NULL) AS unfinished,
        max(executions.completed_at) AS ended_at
    FROM schedules
    LEFT JOIN executions ON executions.id IN (
            SELECT schedules.last_execution UNION ALL SELECT value FROM json_each(schedules.earlier_executions)
        )
    -- Two looks into an index each.
    WHERE schedules.id IN (
            SELECT id FROM schedules WHERE is_paused = 0 AND coalesce(due_at, 0) <= ?2
            UNION ALL
            -- The last one is far ahead, by more than three hours: the clock was set back.
            SELECT id FROM schedules WHERE is_paused = 0 AND last_at > ?2 + 10800000000
        )
    GROUP BY schedules.id
)
SELECT
    schedules.id, schedules.name, schedules.workflow, schedules.organization_id, schedules.cron, schedules.time_zone, schedules.queue,
    schedules.parameters, schedules.overlap, schedules.missed, schedules.missed_seconds, schedules.jitter_seconds, schedules.is_paused,
    schedules.next_at, schedules.due_at, schedules.last_at, schedules.last_execution, schedules.last_outcome,
    ?2 AS now, due.unfinished, due.ended_at
FROM due
JOIN schedules ON due.schedule_id = schedules.id
-- What waits for its executions before is left out, so that many of those hide nobody: what is made up for is due later than it was.
WHERE
    due.unfinished = '[]'
    OR NOT (
        schedules.overlap = 'queue'
        OR schedules.overlap = 'skip' AND schedules.missed = 'run_all'
        AND schedules.due_at > schedules.next_at + schedules.jitter_seconds * 1000000
    )
ORDER BY coalesce(schedules.due_at, 0)
LIMIT ?1
