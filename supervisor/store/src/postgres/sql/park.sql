-- Takes rows that wait out of the claim. $1: ids, $2: what they wait for.
UPDATE executions SET waits_for = parked.waits_for, waited_for = NULL
FROM UNNEST($1::uuid[], $2::text[]) AS parked (id, waits_for)
WHERE executions.id = parked.id AND executions.status = 'PENDING'
