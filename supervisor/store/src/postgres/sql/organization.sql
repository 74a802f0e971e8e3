SELECT id, key, name, is_active
FROM organizations WHERE id = $1
