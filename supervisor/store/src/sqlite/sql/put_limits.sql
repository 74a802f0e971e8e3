-- Gives rows more limits. ?1: a JSON array of ids and all limits of each.
UPDATE executions SET limits = given.value ->> 1
FROM json_each(?1) AS given
WHERE executions.id = given.value ->> 0
