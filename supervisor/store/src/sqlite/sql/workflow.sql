SELECT id, name, path, function_name, language, organization_id, timeout_seconds, max_attempts, is_active
FROM workflows WHERE id = ?1 AND is_active = 1
