-- Who is let in over HTTP beside the holder of `http_token`. What is kept of a token is its SHA-256: it is 256 random bits, so
-- there is nothing to guess that a slow hash would make slower. A supervisor of an earlier version lets nobody in with these.
--
-- Roles are `view`, `operate` and `admin`. The organization need not have a row, as that of an execution need not.
CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    role text NOT NULL,
    organization_id uuid,
    hash text NOT NULL UNIQUE,
    previous_hash text,
    previous_until timestamptz,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    rotated_at timestamptz,
    expires_at timestamptz,
    last_used_at timestamptz
);

-- That one was used is no change that anybody has to hear of.
CREATE TRIGGER definitions_changed
    AFTER INSERT OR DELETE OR TRUNCATE
        OR UPDATE OF name, role, organization_id, hash, previous_hash, previous_until, expires_at
    ON tokens FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
