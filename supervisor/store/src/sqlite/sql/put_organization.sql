INSERT INTO organizations (id, key, name, is_active, weight)
VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (id) DO UPDATE
SET key = excluded.key, name = excluded.name, is_active = excluded.is_active, weight = excluded.weight
