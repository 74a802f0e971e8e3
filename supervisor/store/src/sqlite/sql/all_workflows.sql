SELECT id, name, path, function_name, language, organization_id, timeout_seconds, max_attempts, is_active
FROM workflows
ORDER BY name, id
