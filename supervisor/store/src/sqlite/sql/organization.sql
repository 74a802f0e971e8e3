SELECT id, key, name, is_active, weight
FROM organizations WHERE id = ?1
