-- ?1: a JSON array of keys.
SELECT held.scope, held.key, held.execution_id, held.fingerprint
FROM json_each(?1) AS wanted JOIN idempotency_keys AS held
    ON held.scope = wanted.value ->> 'scope' AND held.key = wanted.value ->> 'key'
