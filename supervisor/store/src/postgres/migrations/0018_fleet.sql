-- How each supervisor is, in its own words, said again every few seconds. One of an earlier version says nothing after its start.
ALTER TABLE supervisors ADD COLUMN version text;
ALTER TABLE supervisors ADD COLUMN last_seen_at timestamptz;
-- A JSON object.
ALTER TABLE supervisors ADD COLUMN state text;
