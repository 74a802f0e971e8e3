-- Makes rows wait that this transaction has locked and whose supervisor is lost. $1: ids, $2: what they wait for.
UPDATE executions SET
    status = 'PENDING', lease_owner = NULL, lease_expires_at = NULL, started_at = NULL, waits_for = back.waits_for,
    waited_for = NULL
FROM UNNEST($1::uuid[], $2::text[]) AS back (id, waits_for)
WHERE executions.id = back.id
