SELECT count(*) AS pending, min(run_after) AS oldest FROM executions WHERE status = 'PENDING'
