-- $1: the id, $2: the name, $3: the role, $4: the organization, $5: the hash, $6: who asked for it, $7: when it expires. No row:
-- the name is another's.
INSERT INTO tokens (id, name, role, organization_id, hash, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp(), $6, $7)
ON CONFLICT (name) DO NOTHING
RETURNING id
