-- How many executions may run at once, and what waits for that. A supervisor of an earlier version neither reads nor
-- writes any of this: it starts what has limits as if it had none.
--
-- The limits it must have room in, as JSON text: [{"name", "key"}]. Set once, when the row is written.
ALTER TABLE executions ADD COLUMN IF NOT EXISTS limits text;
-- What keeps it out of the claim: `limit:NAME`, `limit:NAME:KEY`, `pause:...`. None: it may be claimed when it is due.
ALTER TABLE executions ADD COLUMN IF NOT EXISTS waits_for text COLLATE "C";
-- What it waited for before it was let go: until it is claimed its place there is taken.
ALTER TABLE executions ADD COLUMN IF NOT EXISTS waited_for text COLLATE "C";
ALTER TABLE workflows
    ADD COLUMN concurrency integer,
    ADD COLUMN concurrency_key text,
    ADD COLUMN limits text;

-- The order in which the waiting rows of one queue are claimed, without those that wait for something else. It stands in
-- the place of the one with all of them; a supervisor of an earlier version reads by `executions_due` meanwhile.
CREATE INDEX IF NOT EXISTS executions_claimable ON executions
    (coalesce(queue, ''), ((run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'))
    WHERE status = 'PENDING' AND waits_for IS NULL;
DROP INDEX executions_waiting;
-- Who is next at what is waited for.
CREATE INDEX IF NOT EXISTS executions_parked ON executions
    (waits_for, coalesce(queue, ''), ((run_after AT TIME ZONE 'UTC') - priority * interval '1 minute'))
    WHERE status = 'PENDING' AND waits_for IS NOT NULL;
CREATE INDEX IF NOT EXISTS executions_let_go ON executions (waited_for, coalesce(queue, ''))
    WHERE status = 'PENDING' AND waits_for IS NULL AND waited_for IS NOT NULL;

CREATE TABLE limits (
    name text PRIMARY KEY,
    total integer,
    per_key integer,
    rate_count integer,
    rate_period_us bigint,
    key text NOT NULL DEFAULT 'organization',
    on_full text NOT NULL DEFAULT 'wait',
    -- Who says so: `set` by hand, or `workflow` and `code` of a workflow's own.
    origin text NOT NULL DEFAULT 'set',
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Who is in a limit: a copy of what the RUNNING rows say, to be counted by limit and key. `runs` is false of one that was
-- let in and has not started, where a limit counts those too.
CREATE TABLE limit_holders (
    limit_name text NOT NULL,
    key text NOT NULL,
    execution_id uuid NOT NULL,
    runs boolean NOT NULL DEFAULT true,
    PRIMARY KEY (limit_name, key, execution_id)
);
CREATE INDEX limit_holders_of ON limit_holders (execution_id);

-- When the next start would come if all came evenly: what a rate is decided by.
CREATE TABLE limit_rates (
    limit_name text NOT NULL,
    key text NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (limit_name, key)
);
