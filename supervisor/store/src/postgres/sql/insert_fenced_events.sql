-- Events of attempts that are still ours. $1 to $6: the columns of events.
INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail)
SELECT happened.id, coalesce(at, clock_timestamp()), event, happened.attempt, supervisor, detail
FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[], $4::integer[], $5::uuid[], $6::jsonb[])
    AS happened (id, at, event, attempt, supervisor, detail)
JOIN executions ON executions.id = happened.id AND executions.attempt = happened.attempt
    AND executions.lease_owner = happened.supervisor
