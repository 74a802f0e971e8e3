-- $1: the name, $2: the organization, whose own comes before the global one.
SELECT id, name, path, function_name, language, organization_id, timeout_seconds, max_attempts, is_active,
    concurrency, concurrency_per_key, concurrency_key, concurrency_on_full, limits, queue, retry,
    webhook, retention_days, retention_failed_days
FROM workflows
WHERE name = $1 AND is_active AND (organization_id IS NULL OR organization_id = $2)
ORDER BY organization_id IS NULL, id
LIMIT 1
