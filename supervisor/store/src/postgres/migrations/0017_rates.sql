-- How many may start in a period. A supervisor of an earlier version starts what has a rate as if it had none, and lets be what
-- waits for one (`waits_for` is `rate:...`).
--
-- How many may start early together. None is 1.
ALTER TABLE limits ADD COLUMN rate_burst integer;
-- When somebody who waits for this rate is to be let go. None: nobody waits.
ALTER TABLE limit_rates ADD COLUMN wake_at timestamptz;
CREATE INDEX limit_rates_waited_for ON limit_rates (wake_at) WHERE wake_at IS NOT NULL;
