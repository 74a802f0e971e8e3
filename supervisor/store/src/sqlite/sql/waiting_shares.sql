-- The organizations that have rows that wait for nothing but their moment, in the order of their ids, the empty text for
-- those without one: a look at the index for each. ?1: a JSON array of the queues that are served, and the empty text, ?2:
-- behind whom (null: from the first on), ?3: how many, ?4: now.
WITH RECURSIVE found (organization) AS (
    SELECT min((
        SELECT coalesce(organization_id, '') FROM executions INDEXED BY executions_shared
        WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(queue, '') = served.value
            AND coalesce(organization_id, '') >= coalesce(?2, '')
            AND (?2 IS NULL OR coalesce(organization_id, '') > ?2)
        ORDER BY coalesce(organization_id, '')
        LIMIT 1
    )) FROM json_each(?1) AS served
    UNION ALL
    SELECT (
        SELECT min((
            SELECT coalesce(organization_id, '') FROM executions INDEXED BY executions_shared
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(queue, '') = served.value
                AND coalesce(organization_id, '') > found.organization
            ORDER BY coalesce(organization_id, '')
            LIMIT 1
        )) FROM json_each(?1) AS served
    ) FROM found WHERE found.organization IS NOT NULL
    LIMIT ?3
)
SELECT
    nullif(found.organization, '') AS organization_id, coalesce(organizations.weight, 1.0) AS weight,
    NULL AS used_seconds,
    EXISTS (
        SELECT 1 FROM json_each(?1) AS served WHERE EXISTS (
            SELECT 1 FROM executions INDEXED BY executions_shared
            WHERE status = 'PENDING' AND waits_for IS NULL AND coalesce(queue, '') = served.value
                AND coalesce(organization_id, '') = found.organization
                AND run_after - priority * 60000000 <= ?4 AND run_after <= ?4
        )
    ) AS is_due
FROM found LEFT JOIN organizations ON organizations.id = found.organization
WHERE found.organization IS NOT NULL
ORDER BY found.organization
