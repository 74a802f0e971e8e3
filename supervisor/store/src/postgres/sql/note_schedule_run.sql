-- $1: which, $2: when, $3: the execution that somebody asked for. What ran before may still run, and is kept beside it.
UPDATE schedules
SET
    last_at = $2,
    last_execution = $3,
    last_outcome = 'by hand',
    earlier_executions = ARRAY(
        SELECT executions.id FROM executions
        WHERE executions.id = ANY (schedules.earlier_executions) AND executions.completed_at IS NULL
    ) || schedules.last_execution
WHERE id = $1
