-- ?1: a JSON array of keys and the executions that want them, ?2: now, ?3: a JSON array of executions whose rows are gone,
-- so that their keys are free.
INSERT INTO idempotency_keys AS held (scope, key, execution_id, fingerprint, expires_at)
SELECT
    value ->> 'scope', value ->> 'key', value ->> 'execution_id', value ->> 'fingerprint', ?2 + (value ->> 'lifetime_us')
FROM json_each(?1)
-- An execution that is there was made by another request: the key does not stand for what that asked for.
WHERE NOT EXISTS (SELECT 1 FROM executions WHERE executions.id = value ->> 'execution_id')
ON CONFLICT (scope, key) DO UPDATE SET
    execution_id = excluded.execution_id, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
WHERE held.expires_at <= ?2 OR held.execution_id IN (SELECT value FROM json_each(?3))
RETURNING scope, key
