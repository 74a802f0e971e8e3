-- What users write is kept as the text they wrote. The jsonb columns stay as copies to query: a supervisor of an
-- earlier version that runs on this database reads and writes only those, and a row it wrote has no text.
ALTER TABLE executions
    ADD COLUMN request_text text,
    ADD COLUMN result_text text;
ALTER TABLE state_entries ADD COLUMN value_text text;
