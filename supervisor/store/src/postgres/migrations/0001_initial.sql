CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    is_active boolean NOT NULL DEFAULT true
);

CREATE TABLE workflows (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    path text,
    function_name text,
    language text,
    organization_id uuid,
    timeout_seconds double precision,
    max_attempts integer,
    is_active boolean NOT NULL DEFAULT true
);

CREATE INDEX workflows_by_name ON workflows (name) WHERE is_active;

-- The zero id stands for the global entries, which have no organization.
CREATE TABLE config_entries (
    organization_id uuid,
    key text NOT NULL,
    value jsonb NOT NULL,
    is_secret boolean NOT NULL DEFAULT false
);

CREATE UNIQUE INDEX config_entries_key
    ON config_entries (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), key);

CREATE TABLE executions (
    id uuid PRIMARY KEY,
    workflow_id uuid,
    workflow_name text,
    organization_id uuid,
    caller jsonb,
    parameters jsonb,
    request jsonb,
    status text NOT NULL,
    execution_model text NOT NULL DEFAULT 'process',
    result jsonb,
    error_type text,
    error_message text,
    error_stack text,
    duration_ms bigint,
    metrics jsonb,
    attempt integer NOT NULL DEFAULT 0,
    attempts_charged integer NOT NULL DEFAULT 0,
    max_attempts integer NOT NULL DEFAULT 1,
    timeout_seconds double precision,
    priority integer NOT NULL DEFAULT 0,
    retry_of uuid,
    lease_owner uuid,
    lease_expires_at timestamptz,
    notified_at timestamptz,
    cancel_requested_at timestamptz,
    run_after timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    completed_at timestamptz
);

CREATE INDEX executions_newest ON executions (created_at, id);
-- One level of priority is worth a minute of waiting: the order in which waiting rows are claimed.
CREATE INDEX executions_queue
    ON executions (((run_after AT TIME ZONE 'UTC') - priority * interval '1 minute')) WHERE status = 'PENDING';
CREATE INDEX executions_due ON executions (run_after) WHERE status = 'PENDING';
CREATE INDEX executions_running ON executions (lease_owner) WHERE status = 'RUNNING';
CREATE INDEX executions_unnotified ON executions (completed_at)
    WHERE notified_at IS NULL AND completed_at IS NOT NULL;

CREATE TABLE execution_logs (
    execution_id uuid NOT NULL,
    attempt integer NOT NULL,
    sequence bigint NOT NULL,
    logged_at timestamptz NOT NULL,
    level text NOT NULL,
    stream text NOT NULL,
    logger text NOT NULL,
    message text NOT NULL,
    fields jsonb,
    PRIMARY KEY (execution_id, attempt, sequence)
);

CREATE TABLE execution_events (
    execution_id uuid NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL,
    event text NOT NULL,
    attempt integer NOT NULL,
    supervisor uuid,
    detail jsonb,
    PRIMARY KEY (execution_id, number)
);

CREATE TABLE state_entries (
    organization_id uuid,
    key text NOT NULL,
    value jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by uuid
);

CREATE UNIQUE INDEX state_entries_key
    ON state_entries (coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid), key);

-- The supervisors that hold a session advisory lock for as long as they live: only their death can show
-- before their leases end.
CREATE TABLE supervisor_presences (
    owner uuid PRIMARY KEY,
    locked_at timestamptz NOT NULL
);
