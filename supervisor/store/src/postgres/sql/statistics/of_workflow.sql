            -- $3: the workflow.
            workflow_name || '/' || status = $3 || '/' || wanted.status
