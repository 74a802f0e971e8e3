-- Who is told what executions came to, and what is to be told. `due_at` is when a delivery is tried next: nothing once it is
-- over. Whoever takes one puts it off, so that it comes again should they die.
CREATE TABLE webhooks (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    url TEXT NOT NULL,
    events TEXT CHECK (events IS NULL OR json_valid(events)),
    workflows TEXT CHECK (workflows IS NULL OR json_valid(workflows)),
    is_paused INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TRIGGER webhooks_inserted AFTER INSERT ON webhooks BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER webhooks_updated AFTER UPDATE ON webhooks BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER webhooks_deleted AFTER DELETE ON webhooks BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TABLE webhook_deliveries (
    execution_id TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    event TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    due_at INTEGER,
    delivered_at INTEGER,
    last_status INTEGER,
    last_error TEXT,
    history TEXT,
    PRIMARY KEY (execution_id, webhook_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, created_at);
