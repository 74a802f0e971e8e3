-- How long until a schedule is due; nothing when none will be.
SELECT (extract(EPOCH FROM nullif(min(coalesce(due_at, '-infinity'::timestamptz)), 'infinity') - (SELECT clock_timestamp())) * 1000000)::bigint AS wait_us
FROM schedules
WHERE NOT is_paused AND coalesce(due_at, '-infinity'::timestamptz) > (SELECT clock_timestamp())
