-- When the message that brought an execution was published, by the clock of whoever published it: from then on it waited. Nothing is
-- ordered by it. A supervisor of an earlier version fills in none.
ALTER TABLE executions ADD COLUMN published_at timestamptz;
