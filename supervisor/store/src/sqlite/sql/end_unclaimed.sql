-- Ends rows that a poll found and will not run again. ?1: a JSON array of rows, ?2: the owner, ?3: now.
UPDATE executions SET
    status = ended.status, error_type = ended.error_type, error_message = ended.error_message,
    lease_owner = ?2, lease_expires_at = NULL, completed_at = ?3
FROM (
    SELECT value ->> 'id' AS id, value ->> 'status' AS status, value ->> 'error_type' AS error_type,
        value ->> 'error_message' AS error_message
    FROM json_each(?1)
) AS ended
WHERE executions.id = ended.id
