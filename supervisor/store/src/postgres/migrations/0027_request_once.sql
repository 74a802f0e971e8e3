-- What was asked for is kept once, in request_text, to the letter. Two more copies of it (request and parameters) made the row
-- three times as large. A supervisor of an earlier version reads those: in whatever is changed by somebody who does not say that
-- it reads the text they are made at that moment. What cannot be a jsonb stays as it is, so that it keeps back no other row.
CREATE FUNCTION executions_request_for_earlier() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.request := NEW.request_text::jsonb;
    NEW.parameters := coalesce(NEW.request -> 'parameters', '{}');
    RETURN NEW;
EXCEPTION WHEN data_exception THEN
    RETURN NEW;
END
$$;

CREATE TRIGGER executions_request_for_earlier BEFORE UPDATE ON executions FOR EACH ROW
    WHEN (
        NEW.request IS NULL AND NEW.request_text IS NOT NULL
        AND current_setting('muster.reads_request_text', true) IS DISTINCT FROM 'on'
    )
    EXECUTE FUNCTION executions_request_for_earlier();
