-- $1: the organization, whose entries replace the global ones.
SELECT key, value, is_secret FROM config_entries
WHERE organization_id = $1
    OR (organization_id IS NULL
        AND key NOT IN (SELECT key FROM config_entries WHERE organization_id = $1))
ORDER BY key
