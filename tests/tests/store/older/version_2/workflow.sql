SELECT * FROM workflows WHERE id = $1 AND is_active
