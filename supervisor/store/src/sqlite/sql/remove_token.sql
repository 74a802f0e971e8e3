-- ?1: the name.
DELETE FROM tokens WHERE name = ?1 RETURNING id
