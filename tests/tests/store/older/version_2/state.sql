-- $1: the organization, $2: the key.
SELECT value FROM state_entries
WHERE coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
        = coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
    AND key = $2
