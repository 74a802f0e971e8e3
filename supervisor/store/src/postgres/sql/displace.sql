-- Cancels rows that wait and make room for others, and asks those that run. $1: ids, $2: what is said of each, $3: whether one
-- that runs is asked. What somebody has locked is passed by.
UPDATE executions SET
    cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
    status = CASE status WHEN 'PENDING' THEN 'CANCELLED' ELSE status END,
    error_type = CASE status WHEN 'PENDING' THEN 'Superseded' END,
    error_message = CASE status WHEN 'PENDING' THEN displaced.message END,
    completed_at = CASE status WHEN 'PENDING' THEN clock_timestamp() END
FROM UNNEST($1::uuid[], $2::text[]) AS displaced (id, message)
WHERE executions.id = displaced.id AND executions.id = ANY (ARRAY(
    SELECT id FROM executions
    WHERE id = ANY ($1) AND (status = 'PENDING' OR ($3 AND status = 'RUNNING' AND cancel_requested_at IS NULL))
    FOR UPDATE SKIP LOCKED
))
RETURNING executions.id, attempt, lease_owner, status, error_type, false AS tombstone, limits
