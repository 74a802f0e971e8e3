INSERT INTO config_entries (organization_id, key, value, is_secret, key_id)
VALUES ($1, $2, $3, $4, $5)
