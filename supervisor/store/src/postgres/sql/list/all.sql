    SELECT id FROM executions
    WHERE (created_at, id) >= ($1::timestamptz, '00000000-0000-0000-0000-000000000000'::uuid)
        AND (created_at, id) < ($2::timestamptz, $3::uuid)
    ORDER BY created_at DESC, id DESC
    LIMIT $4
