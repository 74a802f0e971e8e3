-- Executions of a schedule that were not over when somebody asked for another by hand: what becomes of its ticks depends on them, too.
-- A supervisor of an earlier version looks at the last execution only, and leaves these as they are.
ALTER TABLE schedules ADD COLUMN earlier_executions TEXT;
