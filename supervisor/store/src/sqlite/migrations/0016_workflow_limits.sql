-- What a workflow's row says of admission and of further attempts. `concurrency` and `concurrency_key` are there already, and
-- `limits`: a JSON array of names. `retry` is JSON text, as in a request.
ALTER TABLE workflows ADD COLUMN concurrency_per_key INTEGER;
ALTER TABLE workflows ADD COLUMN concurrency_on_full TEXT;
ALTER TABLE workflows ADD COLUMN queue TEXT;
ALTER TABLE workflows ADD COLUMN retry TEXT;

-- What code declares of the same, JSON text.
CREATE TABLE declared_workflows (
    name TEXT PRIMARY KEY NOT NULL,
    terms TEXT NOT NULL
) STRICT;
CREATE TRIGGER declared_workflows_inserted AFTER INSERT ON declared_workflows BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER declared_workflows_updated AFTER UPDATE ON declared_workflows BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER declared_workflows_deleted AFTER DELETE ON declared_workflows BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER limits_inserted AFTER INSERT ON limits BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER limits_updated AFTER UPDATE ON limits BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER limits_deleted AFTER DELETE ON limits BEGIN UPDATE definition_version SET version = version + 1; END;
