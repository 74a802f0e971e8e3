    -- $6: the name of the workflow.
    AND workflow_name || '/' || status = $6::text || '/' || $1 AND workflow_name = $6
