SELECT id, key, name, is_active
FROM organizations
ORDER BY name, id
