-- Takes rows that wait out of the claim. ?1: a JSON array of (id, what it waits for).
UPDATE executions SET waits_for = parked.waits_for, waited_for = NULL
FROM (SELECT value ->> 0 AS id, value ->> 1 AS waits_for FROM json_each(?1)) AS parked
WHERE executions.id = parked.id AND executions.status = 'PENDING'
