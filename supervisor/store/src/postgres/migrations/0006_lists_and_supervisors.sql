-- Lists are found by an index, whatever narrows them: one index for each of the filters that can come together, and in
-- each the state, because a list of all states is put together of one list for each. What few rows have costs the others
-- nothing. Key and moment are expressions that no other statement has: so a list can be planned by its own index
-- only, and a statement about rows given by id that names a state never by one of these.
--
-- A table of some size gets them beside whoever writes to it, before this step: see `ahead.rs`. Here they are made
-- only where there is little to read. Those without an error are in 0008, which has leaner ones: what is dropped two
-- steps later need not be made.
CREATE INDEX IF NOT EXISTS executions_by_error ON executions
    ((left(error_type, 200) || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE error_type IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_by_workflow_error ON executions
    ((workflow_name || '/' || left(error_type, 200) || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE error_type IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_by_organization_error ON executions
    ((organization_id::text || '/' || left(error_type, 200) || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE error_type IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_by_organization_workflow_error ON executions
    ((organization_id::text || '/' || workflow_name || '/' || left(error_type, 200) || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE error_type IS NOT NULL;

-- Which process a supervisor is, so that whoever reads who ran an attempt knows where to look. One that is older writes
-- nothing here.
CREATE TABLE supervisors (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    process_id bigint NOT NULL,
    data_dir text NOT NULL,
    http_address text,
    started_at timestamptz NOT NULL
);
