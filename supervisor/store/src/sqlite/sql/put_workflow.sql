INSERT INTO workflows (
    id, name, path, function_name, language, organization_id, timeout_seconds, max_attempts, is_active,
    concurrency, concurrency_per_key, concurrency_key, concurrency_on_full, limits, queue, retry,
    webhook, retention_days, retention_failed_days
)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
ON CONFLICT (id) DO UPDATE
SET
    name = excluded.name,
    path = excluded.path,
    function_name = excluded.function_name,
    language = excluded.language,
    organization_id = excluded.organization_id,
    timeout_seconds = excluded.timeout_seconds,
    max_attempts = excluded.max_attempts,
    is_active = excluded.is_active,
    concurrency = excluded.concurrency,
    concurrency_per_key = excluded.concurrency_per_key,
    concurrency_key = excluded.concurrency_key,
    concurrency_on_full = excluded.concurrency_on_full,
    limits = excluded.limits,
    queue = excluded.queue,
    retry = excluded.retry,
    webhook = excluded.webhook,
    retention_days = excluded.retention_days,
    retention_failed_days = excluded.retention_failed_days
