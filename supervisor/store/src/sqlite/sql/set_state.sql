-- ?1: a JSON array of entries, each key once, ?2: now.
INSERT INTO state_entries (organization_id, key, value, updated_at, updated_by)
SELECT value ->> 'organization_id', value ->> 'key', value ->> 'value', ?2, value ->> 'updated_by'
FROM json_each(?1)
WHERE true
ON CONFLICT (coalesce(organization_id, ''), key) DO UPDATE SET
    value = excluded.value, updated_at = excluded.updated_at, updated_by = excluded.updated_by
