-- $1: created at the earliest, $2: so many of each end at most, $3: the organization, $4: the workflow. What its latest
-- executions of this workflow came to.
--
-- Of each end the newest are looked at, by the index of its list; where one end has more than that, the others are looked at
-- no further back than it, so that the shares stay true.
WITH recent AS MATERIALIZED (
    SELECT newest.workflow_name, newest.status, newest.created_at, newest.completed_at, newest.duration_ms
    FROM unnest(ARRAY['SUCCESS', 'FAILED', 'TIMEOUT', 'CANCELLED']) AS wanted (status), LATERAL (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM executions
        WHERE organization_id IS NOT NULL AND organization_id::text || '/' || workflow_name || '/' || status
                = $3::uuid::text || '/' || $4::text || '/' || wanted.status
            AND upper(status) <> 'RUNNING'
            AND created_at AT TIME ZONE 'UTC' >= $1::timestamptz AT TIME ZONE 'UTC'
        ORDER BY created_at AT TIME ZONE 'UTC' DESC, id DESC
        LIMIT $2
    ) AS newest
