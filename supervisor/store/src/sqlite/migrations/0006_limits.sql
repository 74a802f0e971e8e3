-- How many executions may run at once, and what waits for that.

-- The limits it must have room in, as JSON text: [{"name", "key"}]. Set once, when the row is written.
ALTER TABLE executions ADD COLUMN limits TEXT;
-- What keeps it out of the claim: `limit:NAME`, `limit:NAME:KEY`, `pause:...`. None: it may be claimed when it is due.
ALTER TABLE executions ADD COLUMN waits_for TEXT;
-- What it waited for before it was let go: until it is claimed its place there is taken.
ALTER TABLE executions ADD COLUMN waited_for TEXT;
ALTER TABLE workflows ADD COLUMN concurrency INTEGER;
ALTER TABLE workflows ADD COLUMN concurrency_key TEXT;
ALTER TABLE workflows ADD COLUMN limits TEXT;

-- The order in which the waiting rows of one queue are claimed, without those that wait for something else.
CREATE INDEX executions_claimable ON executions (coalesce(queue, ''), run_after - priority * 60000000)
    WHERE status = 'PENDING' AND waits_for IS NULL;
DROP INDEX executions_waiting;
-- Who is next at what is waited for.
CREATE INDEX executions_parked ON executions (waits_for, coalesce(queue, ''), run_after - priority * 60000000)
    WHERE status = 'PENDING' AND waits_for IS NOT NULL;
CREATE INDEX executions_let_go ON executions (waited_for, coalesce(queue, ''))
    WHERE status = 'PENDING' AND waits_for IS NULL AND waited_for IS NOT NULL;

CREATE TABLE limits (
    name TEXT PRIMARY KEY NOT NULL,
    total INTEGER,
    per_key INTEGER,
    rate_count INTEGER,
    rate_period_us INTEGER,
    key TEXT NOT NULL DEFAULT 'organization',
    on_full TEXT NOT NULL DEFAULT 'wait',
    -- Who says so: `set` by hand, or `workflow` and `code` of a workflow's own.
    origin TEXT NOT NULL DEFAULT 'set',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

-- Who is in a limit: a copy of what the RUNNING rows say, to be counted by limit and key. `runs` is 0 of one that was
-- let in and has not started, where a limit counts those too.
CREATE TABLE limit_holders (
    limit_name TEXT NOT NULL,
    key TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    runs INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (limit_name, key, execution_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX limit_holders_of ON limit_holders (execution_id);

-- When the next start would come if all came evenly: what a rate is decided by.
CREATE TABLE limit_rates (
    limit_name TEXT NOT NULL,
    key TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    PRIMARY KEY (limit_name, key)
) STRICT, WITHOUT ROWID;
