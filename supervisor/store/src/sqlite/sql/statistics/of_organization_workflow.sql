-- ?1: created at the earliest, ?2: so many of each end at most, ?3: the organization, ?4: the workflow. What its latest
-- executions of this workflow came to.
--
-- Of each end the newest are looked at, by the index of its list; where one end has more than that, the others are looked at
-- no further back than it, so that the shares stay true.
WITH recent AS MATERIALIZED (
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM executions
            INDEXED BY executions_listed_by_organization_workflow
        WHERE organization_id = ?3 AND workflow_name = ?4 AND upper(status) = 'SUCCESS' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
    UNION ALL
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM executions
            INDEXED BY executions_listed_by_organization_workflow
        WHERE organization_id = ?3 AND workflow_name = ?4 AND upper(status) = 'FAILED' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
    UNION ALL
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM executions
            INDEXED BY executions_listed_by_organization_workflow
        WHERE organization_id = ?3 AND workflow_name = ?4 AND upper(status) = 'TIMEOUT' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
    UNION ALL
    SELECT workflow_name, status, created_at, completed_at, duration_ms FROM (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM executions
            INDEXED BY executions_listed_by_organization_workflow
        WHERE organization_id = ?3 AND workflow_name = ?4 AND upper(status) = 'CANCELLED' AND upper(status) <> 'RUNNING' AND created_at >= ?1
        ORDER BY created_at DESC, id DESC
        LIMIT ?2
    )
