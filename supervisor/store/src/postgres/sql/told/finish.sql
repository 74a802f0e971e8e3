-- The fence: only rows that are RUNNING under this attempt and owner change, and only theirs are the logs and
-- events that are stored. $1 to $14: the columns of endings, $15 to $23: of lines, $24 to $29: of events.
--
-- IS TRUE keeps each test for a written row a look into a hash; a join would be planned by guesses of how many
-- rows there are.
WITH written AS (
    UPDATE executions SET
        status = ending.status, result = ending.result::jsonb, result_text = ending.result, error_type = ending.error_type,
        error_message = ending.error_message, error_stack = ending.error_stack,
        duration_ms = ending.duration_ms, metrics = ending.metrics, end_cause = ending.end_cause,
        started_at = coalesce(ending.started_at, executions.started_at), completed_at = ending.completed_at,
        lease_expires_at = NULL, notified_at = clock_timestamp()
    FROM UNNEST(
        $1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bigint[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::text[], $14::boolean[]
    ) AS ending (
        id, attempt, owner, status, result, error_type, error_message, error_stack, duration_ms, metrics,
        started_at, completed_at, end_cause, is_published
    )
    WHERE executions.id = ending.id AND executions.attempt = ending.attempt
        AND executions.lease_owner = ending.owner AND executions.status = 'RUNNING'
    RETURNING
        executions.id, executions.attempt, executions.limits, executions.status, executions.workflow_name,
        executions.workflow_id, executions.organization_id, executions.webhook, executions.completed_at, ending.is_published
), unpublished AS (
    INSERT INTO unpublished_outcomes (execution_id, completed_at)
    SELECT id, completed_at FROM written WHERE NOT is_published
    ON CONFLICT DO NOTHING
), logged AS (
    INSERT INTO execution_logs (
        execution_id, attempt, sequence, logged_at, level, stream, logger, message, fields
    )
    SELECT id, attempt, sequence, logged_at, level, stream, logger, message, fields
    FROM UNNEST(
        $15::uuid[], $16::integer[], $17::bigint[], $18::timestamptz[], $19::text[], $20::text[], $21::text[],
        $22::text[], $23::jsonb[]
    ) AS line (id, attempt, sequence, logged_at, level, stream, logger, message, fields)
    WHERE ((id, attempt) IN (SELECT id, attempt FROM written)) IS TRUE
), noted AS (
    INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail)
    SELECT id, coalesce(at, clock_timestamp()), event, attempt, supervisor, detail
    FROM UNNEST($24::uuid[], $25::timestamptz[], $26::text[], $27::integer[], $28::uuid[], $29::jsonb[])
        AS happened (id, at, event, attempt, supervisor, detail)
    WHERE ((id, attempt) IN (SELECT id, attempt FROM written)) IS TRUE
), told AS (
