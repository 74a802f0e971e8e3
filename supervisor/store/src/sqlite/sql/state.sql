-- ?1: the organization, ?2: the key.
SELECT value FROM state_entries WHERE coalesce(organization_id, '') = coalesce(?1, '') AND key = ?2
