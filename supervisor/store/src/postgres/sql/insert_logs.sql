-- $1 to $9: the columns of lines.
INSERT INTO execution_logs (
    execution_id, attempt, sequence, logged_at, level, stream, logger, message, fields
)
SELECT id, attempt, sequence, logged_at, level, stream, logger, message, fields
FROM UNNEST(
    $1::uuid[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::jsonb[]
) AS line (id, attempt, sequence, logged_at, level, stream, logger, message, fields)
