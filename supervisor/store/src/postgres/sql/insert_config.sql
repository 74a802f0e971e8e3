INSERT INTO config_entries (organization_id, key, value, is_secret)
VALUES ($1, $2, $3, $4)
