    -- $5: the states, $6: the workflow, $7: the error's type. Each state's newest, and of these the newest.
    SELECT newest.id FROM unnest($5::text[]) AS wanted (status), LATERAL (
        SELECT id, created_at FROM executions
        WHERE error_type IS NOT NULL AND workflow_name || '/' || left(error_type, 200) || '/' || status
                = $6::text || '/' || left($7::text, 200) || '/' || wanted.status
            AND created_at AT TIME ZONE 'UTC' >= $1::timestamptz AT TIME ZONE 'UTC'
            AND (created_at AT TIME ZONE 'UTC', id) < ($2::timestamptz AT TIME ZONE 'UTC', $3::uuid)
            AND status = wanted.status AND workflow_name = $6 AND error_type = $7
        ORDER BY created_at AT TIME ZONE 'UTC' DESC, id DESC
        LIMIT $4
    ) AS newest
    ORDER BY newest.created_at DESC, newest.id DESC
    LIMIT $4
