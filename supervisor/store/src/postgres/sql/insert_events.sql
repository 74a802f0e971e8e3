-- $1 to $6: the columns of events; one without a time happens now.
INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail)
SELECT id, coalesce(at, clock_timestamp()), event, attempt, supervisor, detail
FROM UNNEST($1::uuid[], $2::timestamptz[], $3::text[], $4::integer[], $5::uuid[], $6::jsonb[])
    AS happened (id, at, event, attempt, supervisor, detail)
