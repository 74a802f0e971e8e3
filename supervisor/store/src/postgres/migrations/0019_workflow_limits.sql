-- What a workflow's row says of admission and of further attempts. A supervisor of an earlier version reads none of it: what it
-- takes in of such a workflow has no limits, waits in the queue it came by, and is tried again as its code says.
--
-- `concurrency` and `concurrency_key` are there already, and `limits`: a JSON array of names.
ALTER TABLE workflows
    ADD COLUMN concurrency_per_key integer,
    ADD COLUMN concurrency_on_full text,
    ADD COLUMN queue text,
    -- JSON text, as in a request.
    ADD COLUMN retry text;

-- What code declares of the same, JSON text: for those who take in what others run.
CREATE TABLE declared_workflows (
    name text PRIMARY KEY,
    terms text NOT NULL
);
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON declared_workflows
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON limits
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
