-- ?1 to ?6: the columns of a supervisor.
INSERT INTO supervisors (id, host, process_id, data_dir, http_address, started_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (id) DO NOTHING
