SELECT organization_id, key, value, is_secret
FROM config_entries
ORDER BY key
