-- What runs is in no index of lists: a row enters them when it waits and when it ends, and a claim and a lease cost them
-- nothing. Lists find what runs by `executions_running`, which holds no more rows than there are workers. The list of
-- everything is that of all states, so no index is for it alone.
CREATE INDEX executions_listed_by_status
    ON executions (upper(status), created_at, id)
    WHERE upper(status) <> 'RUNNING';
CREATE INDEX executions_listed_by_workflow
    ON executions (workflow_name, upper(status), created_at, id)
    WHERE upper(status) <> 'RUNNING';
CREATE INDEX executions_listed_by_organization
    ON executions (organization_id, upper(status), created_at, id)
    WHERE organization_id IS NOT NULL AND upper(status) <> 'RUNNING';
CREATE INDEX executions_listed_by_organization_workflow
    ON executions (organization_id, workflow_name, upper(status), created_at, id)
    WHERE organization_id IS NOT NULL AND upper(status) <> 'RUNNING';
DROP INDEX executions_newest;
DROP INDEX executions_by_status;
DROP INDEX executions_by_workflow;
DROP INDEX executions_by_organization;
DROP INDEX executions_by_organization_workflow;
