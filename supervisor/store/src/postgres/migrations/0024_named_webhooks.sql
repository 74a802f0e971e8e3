-- Whom the request itself names, apart from the rest of it: whoever ends an execution need not read a request that may be large.
-- A supervisor of an earlier version fills in none of it: of what that takes in from now on nobody is told whom the request names.
ALTER TABLE executions ADD COLUMN IF NOT EXISTS webhook jsonb;
-- What waits or runs now keeps whom it names.
UPDATE executions SET webhook = request -> 'webhook'
WHERE status IN ('PENDING', 'RUNNING') AND request ? 'webhook';
