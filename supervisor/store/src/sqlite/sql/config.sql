-- ?1: the organization, whose entries replace the global ones.
SELECT organization_id, key, value, is_secret, key_id FROM config_entries
WHERE organization_id = ?1
    OR (organization_id IS NULL
        AND key NOT IN (SELECT key FROM config_entries WHERE organization_id = ?1))
ORDER BY key
