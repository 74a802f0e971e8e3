            -- $3: the organization, $4: the workflow.
            organization_id IS NOT NULL AND organization_id::text || '/' || workflow_name || '/' || status
                = $3::uuid::text || '/' || $4::text || '/' || wanted.status
