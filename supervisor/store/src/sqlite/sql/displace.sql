-- Cancels rows that wait and make room for others, and asks those that run. ?1: a JSON array of (id, what is said of it),
-- ?2: whether one that runs is asked, ?3: now.
UPDATE executions SET
    cancel_requested_at = coalesce(cancel_requested_at, ?3),
    status = CASE status WHEN 'PENDING' THEN 'CANCELLED' ELSE status END,
    error_type = CASE status WHEN 'PENDING' THEN 'Superseded' END,
    error_message = CASE status WHEN 'PENDING' THEN displaced.message END,
    completed_at = CASE status WHEN 'PENDING' THEN ?3 END
FROM (SELECT value ->> 0 AS id, value ->> 1 AS message FROM json_each(?1)) AS displaced
WHERE executions.id = displaced.id AND (status = 'PENDING' OR (?2 AND status = 'RUNNING' AND cancel_requested_at IS NULL))
RETURNING executions.id, attempt, lease_owner, status, error_type, 0 AS tombstone, limits
