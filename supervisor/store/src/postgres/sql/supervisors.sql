-- $1: ids.
SELECT id, host, process_id, data_dir, http_address, started_at FROM supervisors WHERE id = ANY ($1)
