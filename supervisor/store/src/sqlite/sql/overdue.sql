-- RUNNING rows of others whose lease has run out. ?1: the owner who asks, ?2: now.
SELECT id, attempt, lease_owner, lease_expires_at FROM executions
WHERE status = 'RUNNING' AND lease_owner <> ?1 AND lease_expires_at <= ?2
