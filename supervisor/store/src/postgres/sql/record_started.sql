-- $1 and $2: attempts, $3: when, $4: the owner.
UPDATE executions SET started_at = began.at
FROM UNNEST($1::uuid[], $2::integer[], $3::timestamptz[]) AS began (id, attempt, at)
WHERE executions.id = began.id AND executions.attempt = began.attempt
    AND lease_owner = $4 AND status = 'RUNNING'
