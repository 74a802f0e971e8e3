-- $1: the organization, $2: the key.
-- A supervisor of an earlier version writes no text, so one that is there may be of an earlier value.
SELECT CASE WHEN value_text::jsonb = value THEN value_text ELSE value::text END AS value FROM state_entries
WHERE coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
        = coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid)
    AND key = $2
