-- The fence: only a row that is RUNNING under this attempt and owner changes.
UPDATE executions SET
    status = @status, result = @result, error_type = @error_type, error_message = @error_message,
    error_stack = @error_stack, duration_ms = @duration_ms, metrics = @metrics, end_cause = @end_cause,
    started_at = coalesce(@started_at, started_at), completed_at = @completed_at, lease_expires_at = NULL,
    notified_at = @notified_at
WHERE id = @id AND attempt = @attempt AND lease_owner = @owner AND status = 'RUNNING'
RETURNING limits
