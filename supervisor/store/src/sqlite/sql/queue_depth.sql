SELECT
    count(*) AS pending,
    min(CASE WHEN run_after = created_at THEN coalesce(published_at, run_after) ELSE run_after END) AS oldest
FROM executions WHERE status = 'PENDING'
