-- What is waited for from one text on to before another, one by one out of the index. ?1 and ?2: these texts, ?3: how
-- many at most.
WITH RECURSIVE reasons AS (
    SELECT (
        SELECT min(waits_for) FROM executions
        WHERE status = 'PENDING' AND waits_for >= ?1 AND waits_for < ?2
    ) AS waits_for
    UNION ALL
    SELECT (
        SELECT min(executions.waits_for) FROM executions
        WHERE status = 'PENDING' AND executions.waits_for > reasons.waits_for AND executions.waits_for < ?2
    )
    FROM reasons WHERE reasons.waits_for IS NOT NULL
)
SELECT waits_for FROM reasons WHERE waits_for IS NOT NULL LIMIT ?3
