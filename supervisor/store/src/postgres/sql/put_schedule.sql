INSERT INTO schedules (
    id, name, workflow, organization_id, cron, time_zone, queue, parameters, overlap, missed, missed_seconds, jitter_seconds, is_paused
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (id) DO UPDATE
SET
    name = excluded.name,
    workflow = excluded.workflow,
    organization_id = excluded.organization_id,
    cron = excluded.cron,
    time_zone = excluded.time_zone,
    queue = excluded.queue,
    parameters = excluded.parameters,
    overlap = excluded.overlap,
    missed = excluded.missed,
    missed_seconds = excluded.missed_seconds,
    jitter_seconds = excluded.jitter_seconds,
    is_paused = excluded.is_paused,
    -- What ticks at the same moments keeps its next one; what was paused begins anew.
    next_at = CASE
        WHEN schedules.cron = excluded.cron AND schedules.time_zone = excluded.time_zone
            AND schedules.is_paused = excluded.is_paused AND schedules.jitter_seconds = excluded.jitter_seconds
            THEN schedules.next_at
    END,
    due_at = CASE
        WHEN schedules.cron = excluded.cron AND schedules.time_zone = excluded.time_zone
            AND schedules.is_paused = excluded.is_paused AND schedules.jitter_seconds = excluded.jitter_seconds
            THEN schedules.due_at
    END
