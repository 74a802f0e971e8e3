SELECT
    count(*) AS pending,
    (extract(epoch FROM clock_timestamp() - min(CASE WHEN run_after = created_at THEN coalesce(published_at, run_after) ELSE run_after END)
        FILTER (WHERE isfinite(run_after))) * 1000000)::bigint AS waited_us
FROM executions WHERE status = 'PENDING'
