-- How many may start in a period.
--
-- How many may start early together. None is 1.
ALTER TABLE limits ADD COLUMN rate_burst INTEGER;
-- When somebody who waits for this rate is to be let go. None: nobody waits.
ALTER TABLE limit_rates ADD COLUMN wake_at INTEGER;
CREATE INDEX limit_rates_waited_for ON limit_rates (wake_at) WHERE wake_at IS NOT NULL;
