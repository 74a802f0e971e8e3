-- ?1: a JSON array of ids.
SELECT id, host, process_id, data_dir, http_address, started_at
FROM supervisors WHERE id IN (SELECT value FROM json_each(?1))
