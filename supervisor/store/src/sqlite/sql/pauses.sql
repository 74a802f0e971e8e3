-- What is paused, with the key of the organization; of a workflow once for each row that is defined by its name.
SELECT
    pauses.kind, pauses.name, pauses.who, pauses.why, pauses.since, workflows.id AS workflow_id,
    organizations.key AS organization_key
FROM pauses
    LEFT JOIN workflows ON pauses.kind = 'workflow' AND workflows.name = pauses.name
    LEFT JOIN organizations ON pauses.kind = 'organization' AND organizations.id = pauses.name
ORDER BY pauses.kind, pauses.name
