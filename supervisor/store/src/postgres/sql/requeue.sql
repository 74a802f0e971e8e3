-- The same fence. $1 and $2: attempts, $3: their owners, $4: 1 to give the charge back, $5: how many
-- attempts the row allows, $6: delays in microseconds, $7: whether another supervisor
-- should have it next: who gives it back is remembered, and lets it be for a while.
UPDATE executions SET
    status = 'PENDING', attempts_charged = attempts_charged - back.refund, max_attempts = back.max_attempts,
    lease_owner = CASE WHEN back.elsewhere THEN executions.lease_owner END, lease_expires_at = NULL, started_at = NULL,
    run_after = clock_timestamp() + back.delay_us * interval '1 microsecond'
FROM UNNEST($1::uuid[], $2::integer[], $3::uuid[], $4::integer[], $5::integer[], $6::bigint[], $7::boolean[])
    AS back (id, attempt, owner, refund, max_attempts, delay_us, elsewhere)
WHERE executions.id = back.id AND executions.attempt = back.attempt
    AND executions.lease_owner = back.owner AND executions.status = 'RUNNING'
RETURNING executions.id, executions.attempt, executions.limits
