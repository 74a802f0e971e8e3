SELECT id, key, name, is_active, weight
FROM organizations
ORDER BY name, id
