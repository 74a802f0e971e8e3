-- Whose executions start next. A supervisor of an earlier version neither reads nor writes any of this, and claims in the
-- order of the queue, reading by `executions_due`.
--
-- The order in which the waiting rows of one organization in one queue are claimed, and by which it is found who has any.
-- It stands in the place of the one that has all of a queue together.
CREATE INDEX IF NOT EXISTS executions_shared ON executions
    (
        coalesce(queue, ''), coalesce(organization_id, '00000000-0000-0000-0000-000000000000'),
        ((run_after AT TIME ZONE 'UTC') - priority * interval '1 minute')
    )
    WHERE status = 'PENDING' AND waits_for IS NULL;
DROP INDEX executions_claimable;

-- Its part of the workers' time beside the others'. None is 1.
ALTER TABLE organizations ADD COLUMN weight double precision;

-- The worker time that each organization had, forgotten over a minute: `used_seconds` is what was left of it at `at`. The
-- id is 0 for all executions without an organization.
CREATE TABLE organization_usage (
    organization_id uuid PRIMARY KEY,
    used_seconds double precision NOT NULL,
    at timestamptz NOT NULL
);
