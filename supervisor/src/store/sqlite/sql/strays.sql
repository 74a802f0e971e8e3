-- Rows in our name that nobody renews. ?1: a JSON array of ids that are held, ?2: the owner, ?3: leases that
-- end until this moment have missed a renewal.
SELECT id, attempt FROM executions
WHERE status = 'RUNNING' AND lease_owner = ?2 AND lease_expires_at <= ?3
    AND id NOT IN (SELECT value FROM json_each(?1))
