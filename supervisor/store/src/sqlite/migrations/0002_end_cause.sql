-- What the worker of the last attempt died of, as JSON text.
ALTER TABLE executions ADD COLUMN end_cause TEXT;
