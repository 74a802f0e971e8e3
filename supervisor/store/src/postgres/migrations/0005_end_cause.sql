-- What the worker of the last attempt died of, as JSON text. A supervisor of an earlier version neither reads nor writes it.
ALTER TABLE executions ADD COLUMN end_cause text;
