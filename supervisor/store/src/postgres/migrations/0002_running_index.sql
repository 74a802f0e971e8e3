-- A row runs exactly while it has an owner and no end. The old predicate named the status, so that statements
-- about rows given by id could choose this index too: one that every execution passes through is full of
-- entries that are dead and not yet swept.
DROP INDEX executions_running;
CREATE INDEX executions_running ON executions (lease_owner)
    WHERE lease_owner IS NOT NULL AND completed_at IS NULL;
