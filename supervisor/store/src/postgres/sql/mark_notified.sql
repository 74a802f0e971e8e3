-- $1: ids. What was finalized waits among the unpublished, what ended otherwise has no moment yet.
WITH published AS (
    DELETE FROM unpublished_outcomes WHERE execution_id = ANY ($1) RETURNING execution_id
)
UPDATE executions SET notified_at = clock_timestamp()
WHERE id = ANY (ARRAY(SELECT unnest($1) EXCEPT SELECT execution_id FROM published))
    AND notified_at IS NULL AND completed_at IS NOT NULL
