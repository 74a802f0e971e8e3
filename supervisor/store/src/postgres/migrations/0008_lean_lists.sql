-- What runs is in no index of lists: a row enters them when it waits and when it ends, and a claim and a lease cost them
-- nothing. Lists find what runs by `executions_running`, which holds no more rows than the fleet has workers. The list of
-- everything is that of all states, so no index is for it alone. A supervisor of an earlier version lists by reading more
-- until it is replaced, and does all else as before.
--
-- The state is tested by an expression that no other statement has, for the reason that 0006 gives.
CREATE INDEX IF NOT EXISTS executions_listed_by_status ON executions
    ((upper(status)), (created_at AT TIME ZONE 'UTC'), id)
    WHERE upper(status) <> 'RUNNING';
CREATE INDEX IF NOT EXISTS executions_listed_by_workflow ON executions
    ((workflow_name || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE upper(status) <> 'RUNNING';
CREATE INDEX IF NOT EXISTS executions_listed_by_organization ON executions
    ((organization_id::text || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE organization_id IS NOT NULL AND upper(status) <> 'RUNNING';
CREATE INDEX IF NOT EXISTS executions_listed_by_organization_workflow ON executions
    ((organization_id::text || '/' || workflow_name || '/' || status), (created_at AT TIME ZONE 'UTC'), id)
    WHERE organization_id IS NOT NULL AND upper(status) <> 'RUNNING';
DROP INDEX IF EXISTS executions_newest, executions_by_status, executions_by_workflow, executions_by_organization,
    executions_by_organization_workflow;
