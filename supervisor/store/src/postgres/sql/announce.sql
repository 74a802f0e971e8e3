-- $1 to $6: the columns of a supervisor. Those that started long ago are forgotten, as their executions mostly are.
WITH forgotten AS (
    DELETE FROM supervisors WHERE started_at < clock_timestamp() - interval '400 days' AND id <> $1
)
INSERT INTO supervisors (id, host, process_id, data_dir, http_address, started_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING
