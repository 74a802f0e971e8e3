-- The organizations that have rows that wait for nothing but their moment, in the order of their ids, 0 for those without
-- one: a look at the index for each. $1: the queues that are served, and the empty text, $2: behind whom (null: from the
-- first on), $3: how many.
WITH RECURSIVE found (organization) AS (
    (
        SELECT first.organization FROM UNNEST($1::text[]) AS served (queue), LATERAL (
            SELECT coalesce(organization_id, '00000000-0000-0000-0000-000000000000') AS organization FROM executions
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = served.queue
                AND coalesce(organization_id, '00000000-0000-0000-0000-000000000000')
                    >= coalesce($2, '00000000-0000-0000-0000-000000000000'::uuid)
                AND ($2 IS NULL OR coalesce(organization_id, '00000000-0000-0000-0000-000000000000') > $2)
            ORDER BY coalesce(organization_id, '00000000-0000-0000-0000-000000000000')
            LIMIT 1
        ) AS first
        ORDER BY first.organization
        LIMIT 1
    )
    UNION ALL
    SELECT next.organization FROM found, LATERAL (
        SELECT later.organization FROM UNNEST($1::text[]) AS served (queue), LATERAL (
            SELECT coalesce(organization_id, '00000000-0000-0000-0000-000000000000') AS organization FROM executions
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = served.queue
                AND coalesce(organization_id, '00000000-0000-0000-0000-000000000000') > found.organization
            ORDER BY coalesce(organization_id, '00000000-0000-0000-0000-000000000000')
            LIMIT 1
        ) AS later
        ORDER BY later.organization
        LIMIT 1
    ) AS next
)
SELECT
    nullif(found.organization, '00000000-0000-0000-0000-000000000000') AS organization_id,
    coalesce(organizations.weight, 1) AS weight,
    coalesce(
        organization_usage.used_seconds
            -- Of an hour ago nothing is left, and of half a day ago it would be a number too small for an answer.
            * exp(greatest(least(extract(epoch FROM organization_usage.at - clock_timestamp())::double precision, 0), -3600) / 60),
        0
    ) AS used_seconds,
    EXISTS (
        SELECT FROM UNNEST($1::text[]) AS served (queue), LATERAL (
            SELECT FROM executions
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(executions.queue, '') = served.queue
                AND coalesce(organization_id, '00000000-0000-0000-0000-000000000000') = found.organization
                AND (run_after AT TIME ZONE 'UTC') - priority * interval '1 minute' <= (SELECT clock_timestamp()) AT TIME ZONE 'UTC'
                AND run_after <= (SELECT clock_timestamp())
            LIMIT 1
        ) AS due
    ) AS is_due
FROM (SELECT organization FROM found LIMIT $3) AS found
LEFT JOIN organizations ON organizations.id = found.organization
LEFT JOIN organization_usage ON organization_usage.organization_id = found.organization
ORDER BY found.organization
