SELECT count(*) AS pending, (extract(epoch FROM clock_timestamp() - min(run_after)) * 1000000)::bigint AS waited_us
FROM executions WHERE status = 'PENDING'
