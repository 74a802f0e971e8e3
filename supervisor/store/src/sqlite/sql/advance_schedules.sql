-- ?1: which, ?2: the tick it stood at, ?3: the next, ?4: when that is due, ?5: the moment of what was done, ?6: its execution,
-- ?7: what it came to. Of those who see the same tick one comes through.
UPDATE schedules
SET
    next_at = ?3,
    due_at = ?4,
    last_at = coalesce(?5, last_at),
    last_execution = coalesce(?6, last_execution),
    last_outcome = coalesce(?7, last_outcome)
WHERE id = ?1 AND next_at IS ?2 AND is_paused = 0
RETURNING id
