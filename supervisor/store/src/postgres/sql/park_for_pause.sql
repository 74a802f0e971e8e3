-- Takes rows out of the claim, those that wait for a limit among them. $1: ids, $2: what they wait for from now on.
UPDATE executions SET waits_for = $2, waited_for = NULL
WHERE id = ANY (ARRAY(
    SELECT id FROM executions
    WHERE id = ANY ($1) AND status = 'PENDING' AND (waits_for IS NULL OR waits_for NOT LIKE 'pause:%')
    FOR UPDATE SKIP LOCKED
))
RETURNING limits
