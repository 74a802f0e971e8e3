SELECT organization_id, key, value, is_secret, key_id
FROM config_entries
ORDER BY key
