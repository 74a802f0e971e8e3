            -- $3: the organization.
            organization_id IS NOT NULL AND organization_id::text || '/' || status = $3::uuid::text || '/' || wanted.status
