SELECT id, name, path, function_name, language, organization_id, timeout_seconds, max_attempts, is_active,
    concurrency, concurrency_per_key, concurrency_key, concurrency_on_full, limits, queue, retry
FROM workflows WHERE id = $1 AND is_active
