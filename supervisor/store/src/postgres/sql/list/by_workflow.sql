    -- $5: the states, $6: the workflow. The newest of each state, and of these the newest.
    SELECT newest.id FROM (
        SELECT resting.id, resting.created_at FROM unnest($5::text[]) AS wanted (status), LATERAL (
            SELECT id, created_at FROM executions
            WHERE workflow_name || '/' || status = $6::text || '/' || wanted.status
                AND upper(status) <> 'RUNNING'
                AND created_at AT TIME ZONE 'UTC' >= $1::timestamptz AT TIME ZONE 'UTC'
                AND (created_at AT TIME ZONE 'UTC', id) < ($2::timestamptz AT TIME ZONE 'UTC', $3::uuid)
                AND status = wanted.status AND workflow_name = $6
            ORDER BY created_at AT TIME ZONE 'UTC' DESC, id DESC
            LIMIT $4
        ) AS resting
        UNION ALL (
            SELECT id, created_at FROM executions
            WHERE 'RUNNING' = ANY ($5::text[]) AND status = 'RUNNING' AND lease_owner IS NOT NULL AND completed_at IS NULL
                AND workflow_name = $6
                AND created_at >= $1 AND (created_at, id) < ($2, $3)
            ORDER BY created_at DESC, id DESC
            LIMIT $4
        )
    ) AS newest
    ORDER BY newest.created_at DESC, newest.id DESC
    LIMIT $4
