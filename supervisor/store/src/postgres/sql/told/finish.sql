-- The fence: only rows that are RUNNING under this attempt and owner change, and only theirs are the logs and
-- events that are stored. $1 to $13: the columns of endings, $14 to $22: of lines, $23 to $28: of events.
--
-- IS TRUE keeps each test for a written row a look into a hash; a join would be planned by guesses of how many
-- rows there are.
WITH written AS (
    UPDATE executions SET
        status = ending.status, result = ending.result::jsonb, result_text = ending.result, error_type = ending.error_type,
        error_message = ending.error_message, error_stack = ending.error_stack,
        duration_ms = ending.duration_ms, metrics = ending.metrics, end_cause = ending.end_cause,
        started_at = coalesce(ending.started_at, executions.started_at), completed_at = ending.completed_at,
        lease_expires_at = NULL
    FROM UNNEST(
        $1::uuid[], $2::integer[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::bigint[], $10::jsonb[], $11::timestamptz[], $12::timestamptz[], $13::text[]
    ) AS ending (
        id, attempt, owner, status, result, error_type, error_message, error_stack, duration_ms, metrics,
        started_at, completed_at, end_cause
    )
    WHERE executions.id = ending.id AND executions.attempt = ending.attempt
        AND executions.lease_owner = ending.owner AND executions.status = 'RUNNING'
    RETURNING
        executions.id, executions.attempt, executions.limits, executions.status, executions.workflow_name,
        executions.workflow_id, executions.organization_id, executions.webhook
), logged AS (
    INSERT INTO execution_logs (
        execution_id, attempt, sequence, logged_at, level, stream, logger, message, fields
    )
    SELECT id, attempt, sequence, logged_at, level, stream, logger, message, fields
    FROM UNNEST(
        $14::uuid[], $15::integer[], $16::bigint[], $17::timestamptz[], $18::text[], $19::text[], $20::text[],
        $21::text[], $22::jsonb[]
    ) AS line (id, attempt, sequence, logged_at, level, stream, logger, message, fields)
    WHERE ((id, attempt) IN (SELECT id, attempt FROM written)) IS TRUE
), noted AS (
    INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail)
    SELECT id, coalesce(at, clock_timestamp()), event, attempt, supervisor, detail
    FROM UNNEST($23::uuid[], $24::timestamptz[], $25::text[], $26::integer[], $27::uuid[], $28::jsonb[])
        AS happened (id, at, event, attempt, supervisor, detail)
    WHERE ((id, attempt) IN (SELECT id, attempt FROM written)) IS TRUE
), told AS (
