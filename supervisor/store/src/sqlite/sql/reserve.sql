-- Notes who is let in to limits and does not run yet. ?1: a JSON array of (id, name, key).
INSERT INTO limit_holders (limit_name, key, execution_id, runs)
SELECT value ->> 1, value ->> 2, value ->> 0, 0 FROM json_each(?1)
WHERE true
ON CONFLICT (limit_name, key, execution_id) DO NOTHING
