SELECT min(run_after) FROM executions WHERE status = 'PENDING'
