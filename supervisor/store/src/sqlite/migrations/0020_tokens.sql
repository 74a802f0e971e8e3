-- Who is let in over HTTP beside the holder of `http_token`. What is kept of a token is its SHA-256: it is 256 random bits, so
-- there is nothing to guess that a slow hash would make slower.
--
-- Roles are `view`, `operate` and `admin`. The organization need not have a row, as that of an execution need not.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    organization_id TEXT,
    hash TEXT NOT NULL UNIQUE,
    previous_hash TEXT,
    previous_until INTEGER,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    rotated_at INTEGER,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

-- That one was used is no change that anybody has to hear of.
CREATE TRIGGER tokens_inserted AFTER INSERT ON tokens BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER tokens_updated AFTER UPDATE OF name, role, organization_id, hash, previous_hash, previous_until, expires_at
    ON tokens BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER tokens_deleted AFTER DELETE ON tokens BEGIN UPDATE definition_version SET version = version + 1; END;
