-- ?1: which, ?2: when, ?3: the execution that somebody asked for. What ran before may still run, and is kept beside it.
UPDATE schedules
SET
    last_at = ?2,
    last_execution = ?3,
    last_outcome = 'by hand',
    earlier_executions = (
        SELECT json_group_array(earlier.id)
        FROM (
            SELECT executions.id FROM executions
            WHERE executions.id IN (SELECT value FROM json_each(schedules.earlier_executions)) AND executions.completed_at IS NULL
            UNION ALL
            SELECT schedules.last_execution WHERE schedules.last_execution IS NOT NULL
        ) AS earlier
    )
WHERE id = ?1
