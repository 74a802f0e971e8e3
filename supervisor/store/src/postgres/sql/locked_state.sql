-- Which entries of state somebody has locked. $1: organizations, $2: keys. The others are locked by this statement
-- until its transaction ends.
WITH asked AS MATERIALIZED (
    SELECT DISTINCT coalesce(organization_id, '00000000-0000-0000-0000-000000000000'::uuid) AS organization_id, key
    FROM UNNEST($1::uuid[], $2::text[]) AS asked (organization_id, key)
), free AS MATERIALIZED (
    SELECT asked.organization_id, state_entries.key
    FROM state_entries JOIN asked
        ON coalesce(state_entries.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
            = asked.organization_id AND state_entries.key = asked.key
    FOR UPDATE OF state_entries SKIP LOCKED
)
SELECT state_entries.organization_id, state_entries.key
FROM state_entries JOIN asked
    ON coalesce(state_entries.organization_id, '00000000-0000-0000-0000-000000000000'::uuid)
        = asked.organization_id AND state_entries.key = asked.key
WHERE (asked.organization_id, asked.key) NOT IN (SELECT organization_id, key FROM free)
