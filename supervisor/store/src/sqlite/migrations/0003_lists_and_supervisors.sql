-- Lists are found by an index, whatever narrows them: one index for each of the filters that can come together, and in
-- each the state, because a list of all states is put together of one list for each. What few rows have costs the others
-- nothing. The state is an expression so that no statement but a list can take these indexes: one for the queue that
-- names a state must never be planned to read all rows in that state.
CREATE INDEX executions_by_status
    ON executions (upper(status), created_at, id);
CREATE INDEX executions_by_workflow
    ON executions (workflow_name, upper(status), created_at, id);
CREATE INDEX executions_by_organization
    ON executions (organization_id, upper(status), created_at, id)
    WHERE organization_id IS NOT NULL;
CREATE INDEX executions_by_organization_workflow
    ON executions (organization_id, workflow_name, upper(status), created_at, id)
    WHERE organization_id IS NOT NULL;
CREATE INDEX executions_by_error
    ON executions (error_type, upper(status), created_at, id)
    WHERE error_type IS NOT NULL;
CREATE INDEX executions_by_workflow_error
    ON executions (workflow_name, error_type, upper(status), created_at, id)
    WHERE error_type IS NOT NULL;
CREATE INDEX executions_by_organization_error
    ON executions (organization_id, error_type, upper(status), created_at, id)
    WHERE error_type IS NOT NULL;
CREATE INDEX executions_by_organization_workflow_error
    ON executions (organization_id, workflow_name, error_type, upper(status), created_at, id)
    WHERE error_type IS NOT NULL;

-- Which process a supervisor is, so that whoever reads who ran an attempt knows where to look.
CREATE TABLE supervisors (
    id TEXT PRIMARY KEY NOT NULL,
    host TEXT NOT NULL,
    process_id INTEGER NOT NULL,
    data_dir TEXT NOT NULL,
    http_address TEXT,
    started_at INTEGER NOT NULL
) STRICT;
