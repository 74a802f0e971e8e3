-- $1: executions. How many they are, with the lines and events they have: a look into an index for each.
SELECT
    cardinality($1::uuid[])::bigint AS executions,
    (
        SELECT count(*) FROM unnest($1::uuid[]) AS going (id),
            LATERAL (SELECT FROM execution_logs WHERE execution_id = going.id OFFSET 0) AS line
    ) AS logs,
    (
        SELECT count(*) FROM unnest($1::uuid[]) AS going (id),
            LATERAL (SELECT FROM execution_events WHERE execution_id = going.id OFFSET 0) AS happened
    ) AS events
