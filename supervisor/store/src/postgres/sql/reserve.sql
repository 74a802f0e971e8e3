-- Notes who is let in to limits and does not run yet. $1: ids, $2: names, $3: keys.
INSERT INTO limit_holders (limit_name, key, execution_id, runs)
SELECT name, key, id, false FROM UNNEST($1::uuid[], $2::text[], $3::text[]) AS holder (id, name, key)
ON CONFLICT (limit_name, key, execution_id) DO NOTHING
