-- $1: the name, $2: the new hash, $3: for so many microseconds the one before is let in as well, $4: when it expires from now on.
UPDATE tokens SET
    previous_hash = CASE WHEN $3 > 0 THEN hash END,
    previous_until = CASE WHEN $3 > 0 THEN clock_timestamp() + $3 * interval '1 microsecond' END,
    hash = $2,
    rotated_at = clock_timestamp(),
    expires_at = coalesce($4, expires_at)
WHERE name = $1
RETURNING id
