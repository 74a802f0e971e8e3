-- Takes rows out of the claim, those that wait for a limit among them. ?1: a JSON array of ids, ?2: what they wait for from
-- now on.
UPDATE executions SET waits_for = ?2, waited_for = NULL
WHERE id IN (SELECT value FROM json_each(?1)) AND status = 'PENDING'
    AND (waits_for IS NULL OR waits_for NOT LIKE 'pause:%')
RETURNING limits
