    -- By an expression that leaves the planner no other index.
    AND (workflow_name || '/' || status) IS NULL AND status = $1 AND workflow_name IS NULL
