-- The id of the key that a secret is encrypted with; none where it is in clear. A supervisor of an earlier version does not
-- know this column and gives its runs what is encrypted.
ALTER TABLE config_entries ADD COLUMN key_id text;
