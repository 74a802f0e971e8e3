-- What was asked for is a row of its own: it is written once and never again, while the row of its execution is written anew with each
-- of its states, and took what was asked for along each time.
CREATE TABLE execution_requests (
    execution_id uuid PRIMARY KEY,
    request_text text NOT NULL
);

-- A supervisor of an earlier version reads it on the row of the execution: in whatever is changed by somebody who does not say
-- that it reads this table it is put there at that moment, in the columns that version reads. Its user may have rights to what there
-- was before only, so this is done with those of whoever makes the table, which is why the function is made anew.
DROP FUNCTION executions_request_for_earlier() CASCADE;
CREATE FUNCTION executions_request_for_earlier() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.request_text IS NULL THEN
        SELECT request_text INTO NEW.request_text FROM execution_requests WHERE execution_id = NEW.id;
    END IF;
    IF NEW.request_text IS NOT NULL AND current_setting('muster.reads_request_text', true) IS DISTINCT FROM 'on' THEN
        NEW.request := NEW.request_text::jsonb;
        NEW.parameters := coalesce(NEW.request -> 'parameters', '{}');
    END IF;
    RETURN NEW;
EXCEPTION WHEN data_exception THEN
    RETURN NEW;
END
$$;

CREATE TRIGGER executions_request_for_earlier BEFORE UPDATE ON executions FOR EACH ROW
    WHEN (NEW.request IS NULL AND current_setting('muster.reads_execution_requests', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION executions_request_for_earlier();

-- And what such a supervisor, or anybody by hand, deletes takes along what was asked for.
CREATE FUNCTION executions_forget_requests() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE execution_requests;
    ELSE
        DELETE FROM execution_requests WHERE execution_id = OLD.id;
    END IF;
    RETURN NULL;
EXCEPTION WHEN object_in_use THEN
    -- Both are named in one TRUNCATE.
    RETURN NULL;
END
$$;

CREATE TRIGGER executions_forget_request AFTER DELETE ON executions FOR EACH ROW
    WHEN (current_setting('muster.reads_execution_requests', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION executions_forget_requests();
CREATE TRIGGER executions_forget_all_requests AFTER TRUNCATE ON executions FOR EACH STATEMENT
    EXECUTE FUNCTION executions_forget_requests();

-- What is done with the rights of another one is done on these tables only: nobody makes triggers of it on tables of their own, and
-- tables of the same name, temporary ones or in a schema that comes first, are not found.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['executions_request_for_earlier()', 'executions_forget_requests()', 'muster_definitions_changed()'] LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
        EXECUTE format('ALTER FUNCTION %s SET search_path = %I, pg_temp', name, current_schema());
    END LOOP;
END
$$;
