-- $1: scopes, $2: keys, $3: executions, $4: fingerprints, $5: how long they are remembered, in microseconds, $6: executions
-- whose rows are gone, so that their keys are free.
INSERT INTO idempotency_keys AS held (scope, key, execution_id, fingerprint, expires_at)
SELECT scope, key, execution_id, fingerprint, clock_timestamp() + lifetime_us * interval '1 microsecond'
FROM UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::bigint[])
    AS new (scope, key, execution_id, fingerprint, lifetime_us)
-- An execution that is there was made by another request: the key does not stand for what that asked for.
WHERE NOT EXISTS (SELECT FROM executions WHERE executions.id = new.execution_id)
ON CONFLICT (scope, key) DO UPDATE SET
    execution_id = excluded.execution_id, fingerprint = excluded.fingerprint, expires_at = excluded.expires_at
WHERE held.expires_at <= clock_timestamp() OR held.execution_id = ANY ($6)
RETURNING scope, key
