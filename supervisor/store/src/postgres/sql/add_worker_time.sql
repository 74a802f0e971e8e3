-- Adds worker time to what is left of earlier worker time. $1: organizations, in order, 0 for those without one, $2:
-- seconds. Whoever had none for an hour is forgotten.
WITH forgotten AS (
    DELETE FROM organization_usage
    WHERE at < clock_timestamp() - interval '1 hour' AND organization_id <> ALL ($1)
)
INSERT INTO organization_usage (organization_id, used_seconds, at)
SELECT organization, seconds, clock_timestamp()
FROM UNNEST($1::uuid[], $2::double precision[]) AS worked (organization, seconds)
ON CONFLICT (organization_id) DO UPDATE SET
    used_seconds = excluded.used_seconds + organization_usage.used_seconds
        * exp(greatest(least(extract(epoch FROM organization_usage.at - excluded.at)::double precision, 0), -3600) / 60),
    at = greatest(organization_usage.at, excluded.at)
