-- All tokens, with the key of the organization that one is bound to.
SELECT
    tokens.id, tokens.name, tokens.role, tokens.organization_id, organizations.key AS organization_key, tokens.hash,
    tokens.previous_hash, tokens.previous_until, tokens.created_at, tokens.created_by, tokens.rotated_at,
    tokens.expires_at, tokens.last_used_at
FROM tokens LEFT JOIN organizations ON organizations.id = tokens.organization_id
ORDER BY tokens.name
