-- ?1: the name, ?2: the new hash, ?3: for so many microseconds the one before is let in as well, ?4: when it expires from now on,
-- ?5: now.
UPDATE tokens SET
    previous_hash = CASE WHEN ?3 > 0 THEN hash END,
    previous_until = CASE WHEN ?3 > 0 THEN ?5 + ?3 END,
    hash = ?2,
    rotated_at = ?5,
    expires_at = coalesce(?4, expires_at)
WHERE name = ?1
RETURNING id
