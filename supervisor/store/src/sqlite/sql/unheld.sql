-- Rows in our name that nobody renews. ?1: a JSON array of the attempts that are held, ?2: the owner, ?3: leases
-- that end until this moment have missed a renewal.
SELECT id, attempt FROM executions
WHERE status = 'RUNNING' AND lease_owner = ?2 AND lease_expires_at <= ?3
    AND (id, attempt) NOT IN (SELECT value ->> 'execution_id', value ->> 'number' FROM json_each(?1))
