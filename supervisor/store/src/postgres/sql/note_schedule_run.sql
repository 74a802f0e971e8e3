-- $1: which, $2: when, $3: the execution that somebody asked for.
UPDATE schedules SET last_at = $2, last_execution = $3, last_outcome = 'by hand' WHERE id = $1
