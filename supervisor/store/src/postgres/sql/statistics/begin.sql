-- $1: created at the earliest, $2: so many of each end at most, then what narrows it. What the latest executions came to, by workflow.
--
-- Of each end the newest are looked at, by the index of its list; where one end has more than that, the others are looked at
-- no further back than it, so that the shares stay true.
WITH recent AS MATERIALIZED (
    SELECT newest.workflow_name, newest.status, newest.created_at, newest.completed_at, newest.duration_ms
    FROM unnest(ARRAY['SUCCESS', 'FAILED', 'TIMEOUT', 'CANCELLED']) AS wanted (status), LATERAL (
        SELECT workflow_name, status, created_at, completed_at, duration_ms FROM executions
        WHERE
