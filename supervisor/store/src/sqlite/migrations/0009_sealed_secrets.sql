-- The id of the key that a secret is encrypted with; none where it is in clear.
ALTER TABLE config_entries ADD COLUMN key_id TEXT;
