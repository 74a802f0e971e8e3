-- ?1: the id, ?2: the name, ?3: the role, ?4: the organization, ?5: the hash, ?6: who asked for it, ?7: when it expires, ?8: now.
-- No row: the name is another's.
INSERT INTO tokens (id, name, role, organization_id, hash, created_by, expires_at, created_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
ON CONFLICT (name) DO NOTHING
RETURNING id
