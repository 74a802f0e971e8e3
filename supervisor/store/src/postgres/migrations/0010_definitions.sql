-- The word that commands and files know an organization by. A row that was written by hand may have none.
ALTER TABLE organizations ADD COLUMN key text;
CREATE UNIQUE INDEX organizations_key ON organizations (key) WHERE key IS NOT NULL;

-- Counts the changes of what is defined: what was read at an earlier version is read again. One row.
CREATE TABLE definition_version (version bigint NOT NULL);
INSERT INTO definition_version (version) VALUES (1);

-- Who changed what when. Values of secrets are never in it.
CREATE TABLE changes_log (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    who text NOT NULL,
    kind text NOT NULL,
    name text NOT NULL,
    organization text,
    before text,
    after text
);

-- Runs as its owner, so that whoever may change a definition need not have rights to what counts.
CREATE FUNCTION muster_definitions_changed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE definition_version SET version = version + 1;
    PERFORM pg_notify('muster_definitions', '');
    RETURN NULL;
END $$;
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON organizations
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON workflows
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
CREATE TRIGGER definitions_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON config_entries
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
