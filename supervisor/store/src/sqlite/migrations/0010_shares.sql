-- Whose executions start next.
--
-- The order in which the waiting rows of one organization in one queue are claimed, and by which it is found who has any.
-- It stands in the place of the one that has all of a queue together.
CREATE INDEX executions_shared ON executions
    (coalesce(queue, ''), coalesce(organization_id, ''), run_after - priority * 60000000)
    WHERE status = 'PENDING' AND waits_for IS NULL;
DROP INDEX executions_claimable;

-- Its part of the workers' time beside the others'. None is 1. What each had is known to the one supervisor there is.
ALTER TABLE organizations ADD COLUMN weight REAL;
