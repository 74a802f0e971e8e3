-- Whom the request itself names, apart from the rest of it: whoever ends an execution need not read a request that may be large.
-- A supervisor of an earlier version fills in none of it, and of what it took in nobody is told whom the request names.
ALTER TABLE executions ADD COLUMN IF NOT EXISTS webhook jsonb;
