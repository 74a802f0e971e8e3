-- $1: organizations, $2: keys.
DELETE FROM state_entries USING UNNEST($1::uuid[], $2::text[]) AS gone (organization_id, key)
WHERE coalesce(state_entries.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
        = coalesce(gone.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
    AND state_entries.key = gone.key
