-- Who may run an execution, and until when it may start. A supervisor of an earlier version neither reads nor writes
-- these: what it wrote has no queue, and anybody runs it.
ALTER TABLE executions ADD COLUMN IF NOT EXISTS queue text;
ALTER TABLE executions ADD COLUMN IF NOT EXISTS expires_at timestamptz;
-- The order in which the waiting rows of one queue are claimed. It stands in the place of the one without the queue;
-- a supervisor of an earlier version reads by `executions_due` meanwhile.
CREATE INDEX IF NOT EXISTS executions_waiting ON executions
    (coalesce(queue, ''), ((run_after AT TIME ZONE 'UTC') - priority * interval '1 minute')) WHERE status = 'PENDING';
DROP INDEX executions_queue;
CREATE INDEX IF NOT EXISTS executions_expiring ON executions (expires_at) WHERE status = 'PENDING' AND expires_at IS NOT NULL;
