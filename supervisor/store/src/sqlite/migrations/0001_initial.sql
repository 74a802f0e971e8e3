-- Ids and JSON are TEXT, times are integer microseconds since the Unix epoch, flags are 0 or 1.

CREATE TABLE organizations (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    is_active INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE workflows (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    path TEXT,
    function_name TEXT,
    language TEXT,
    organization_id TEXT,
    timeout_seconds REAL,
    max_attempts INTEGER,
    is_active INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX workflows_by_name ON workflows (name) WHERE is_active = 1;

-- The empty text stands for the global entries, which have no organization.
CREATE TABLE config_entries (
    organization_id TEXT,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    is_secret INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX config_entries_key ON config_entries (coalesce(organization_id, ''), key);

CREATE TABLE executions (
    id TEXT PRIMARY KEY NOT NULL,
    workflow_id TEXT,
    workflow_name TEXT,
    organization_id TEXT,
    caller TEXT,
    parameters TEXT,
    request TEXT,
    status TEXT NOT NULL,
    execution_model TEXT NOT NULL DEFAULT 'process',
    result TEXT,
    error_type TEXT,
    error_message TEXT,
    error_stack TEXT,
    duration_ms INTEGER,
    metrics TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    attempts_charged INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL DEFAULT 1,
    timeout_seconds REAL,
    priority INTEGER NOT NULL DEFAULT 0,
    retry_of TEXT,
    lease_owner TEXT,
    lease_expires_at INTEGER,
    notified_at INTEGER,
    cancel_requested_at INTEGER,
    run_after INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    completed_at INTEGER
) STRICT;

CREATE INDEX executions_newest ON executions (created_at, id);
-- One level of priority is worth a minute of waiting: the order in which waiting rows are claimed.
CREATE INDEX executions_queue ON executions (run_after - priority * 60000000) WHERE status = 'PENDING';
CREATE INDEX executions_due ON executions (run_after) WHERE status = 'PENDING';
CREATE INDEX executions_running ON executions (lease_owner) WHERE status = 'RUNNING';
CREATE INDEX executions_unnotified ON executions (completed_at)
    WHERE notified_at IS NULL AND completed_at IS NOT NULL;

CREATE TABLE execution_logs (
    execution_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    logged_at INTEGER NOT NULL,
    level TEXT NOT NULL,
    stream TEXT NOT NULL,
    logger TEXT NOT NULL,
    message TEXT NOT NULL,
    fields TEXT,
    PRIMARY KEY (execution_id, attempt, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE execution_events (
    execution_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    supervisor TEXT,
    detail TEXT
) STRICT;

CREATE INDEX execution_events_of ON execution_events (execution_id);

CREATE TABLE state_entries (
    organization_id TEXT,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT
) STRICT;

CREATE UNIQUE INDEX state_entries_key ON state_entries (coalesce(organization_id, ''), key);
