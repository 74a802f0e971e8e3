-- Ends rows that a poll has locked and will not run again. $1: ids, $2: states, $3: error types, $4: error
-- messages, $5: the owner.
UPDATE executions SET
    status = ended.status, error_type = ended.error_type, error_message = ended.error_message,
    lease_owner = $5, lease_expires_at = NULL, completed_at = clock_timestamp()
FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[]) AS ended (id, status, error_type, error_message)
WHERE executions.id = ended.id
