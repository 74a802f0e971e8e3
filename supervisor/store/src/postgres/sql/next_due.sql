SELECT (extract(epoch FROM min(run_after) - clock_timestamp()) * 1000000)::bigint AS wait_us
FROM executions WHERE status = 'PENDING'
