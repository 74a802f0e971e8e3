-- ?1: the name, ?2: the total, ?3: for each key, ?4: what it counts by, ?5: who says so, ?6: now, ?7: what happens when it is full.
INSERT INTO limits (name, total, per_key, key, origin, on_full, created_at, updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?7, ?6, ?6)
ON CONFLICT (name) DO UPDATE SET
    total = excluded.total, per_key = excluded.per_key, key = excluded.key, origin = excluded.origin,
    on_full = excluded.on_full, updated_at = excluded.updated_at
RETURNING name, total, per_key, key, origin, on_full, created_at, updated_at
