-- ?1: a JSON array of entries.
DELETE FROM state_entries
WHERE (coalesce(organization_id, ''), key) IN (
    SELECT coalesce(value ->> 'organization_id', ''), value ->> 'key' FROM json_each(?1)
)
