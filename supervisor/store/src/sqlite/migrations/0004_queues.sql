-- Who may run an execution, and until when it may start.
ALTER TABLE executions ADD COLUMN queue TEXT;
ALTER TABLE executions ADD COLUMN expires_at INTEGER;
-- The order in which the waiting rows of one queue are claimed.
CREATE INDEX executions_waiting ON executions (coalesce(queue, ''), run_after - priority * 60000000)
    WHERE status = 'PENDING';
DROP INDEX executions_queue;
CREATE INDEX executions_expiring ON executions (expires_at) WHERE status = 'PENDING' AND expires_at IS NOT NULL;
