SELECT id, name, path, function_name, language, organization_id, timeout_seconds, max_attempts, is_active,
    concurrency, concurrency_per_key, concurrency_key, concurrency_on_full, limits, queue, retry,
    webhook, retention_days, retention_failed_days
FROM workflows
ORDER BY name, id
