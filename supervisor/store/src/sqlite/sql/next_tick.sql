-- ?1: now. When a schedule is due next; nothing when none will be.
SELECT min(coalesce(due_at, 0)) AS due
FROM schedules
WHERE is_paused = 0 AND coalesce(due_at, 0) > ?1
