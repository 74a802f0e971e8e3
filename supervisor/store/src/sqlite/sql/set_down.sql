-- Makes rows wait whose supervisor is lost. ?1: a JSON array of (id, what it waits for).
UPDATE executions SET
    status = 'PENDING', lease_owner = NULL, lease_expires_at = NULL, started_at = NULL, waits_for = back.waits_for,
    waited_for = NULL
FROM (SELECT value ->> 0 AS id, value ->> 1 AS waits_for FROM json_each(?1)) AS back
WHERE executions.id = back.id
