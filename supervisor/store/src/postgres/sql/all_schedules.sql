SELECT
    schedules.id, schedules.name, schedules.workflow, schedules.organization_id, schedules.cron, schedules.time_zone, schedules.queue,
    schedules.parameters, schedules.overlap, schedules.missed, schedules.missed_seconds, schedules.jitter_seconds, schedules.is_paused,
    schedules.next_at, schedules.due_at, schedules.last_at, schedules.last_execution, schedules.last_outcome
FROM schedules
ORDER BY schedules.name
