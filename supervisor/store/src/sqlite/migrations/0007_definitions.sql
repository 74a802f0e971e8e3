-- The word that commands and files know an organization by. A row that was written by hand may have none.
ALTER TABLE organizations ADD COLUMN key TEXT;
CREATE UNIQUE INDEX organizations_key ON organizations (key) WHERE key IS NOT NULL;

-- Counts the changes of what is defined: what was read at an earlier version is read again. One row.
CREATE TABLE definition_version (version INTEGER NOT NULL) STRICT;
INSERT INTO definition_version (version) VALUES (1);

-- Who changed what when. Values of secrets are never in it.
CREATE TABLE changes_log (
    number INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    organization TEXT,
    before TEXT,
    after TEXT
) STRICT;

CREATE TRIGGER organizations_inserted AFTER INSERT ON organizations BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER organizations_updated AFTER UPDATE ON organizations BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER organizations_deleted AFTER DELETE ON organizations BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER workflows_inserted AFTER INSERT ON workflows BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER workflows_updated AFTER UPDATE ON workflows BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER workflows_deleted AFTER DELETE ON workflows BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER config_entries_inserted AFTER INSERT ON config_entries BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER config_entries_updated AFTER UPDATE ON config_entries BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER config_entries_deleted AFTER DELETE ON config_entries BEGIN UPDATE definition_version SET version = version + 1; END;
