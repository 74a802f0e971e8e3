-- $1: organizations, $2: keys, each once, $3: values, $4: the executions that wrote them.
INSERT INTO state_entries (organization_id, key, value, value_text, updated_at, updated_by)
SELECT organization_id, key, value::jsonb, value, clock_timestamp(), updated_by
FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS entry (organization_id, key, value, updated_by)
ON CONFLICT (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), key) DO UPDATE SET
    value = excluded.value, value_text = excluded.value_text, updated_at = excluded.updated_at, updated_by = excluded.updated_by
