-- ?1: the name.
DELETE FROM limits WHERE name = ?1 RETURNING name
