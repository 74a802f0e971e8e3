-- Gives rows more limits. $1: ids, $2: all limits of each.
UPDATE executions SET limits = given.limits
FROM UNNEST($1::uuid[], $2::text[]) AS given (id, limits)
WHERE executions.id = given.id
