-- $1: scopes, $2: keys.
SELECT held.scope, held.key, execution_id, fingerprint
FROM UNNEST($1::uuid[], $2::text[]) AS wanted (scope, key) JOIN idempotency_keys AS held USING (scope, key)
