-- ?1: a JSON array of executions. How many they are, with the lines and events they have.
SELECT
    json_array_length(?1) AS executions,
    (SELECT count(*) FROM execution_logs WHERE execution_id IN (SELECT value FROM json_each(?1))) AS logs,
    (SELECT count(*) FROM execution_events WHERE execution_id IN (SELECT value FROM json_each(?1))) AS events
