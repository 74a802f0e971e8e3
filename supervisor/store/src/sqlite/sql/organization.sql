SELECT id, name, is_active
FROM organizations WHERE id = ?1
