-- A write of our own that has to reach the disk. $1: the owner.
UPDATE supervisor_presences SET beats = beats + 1, beat_at = clock_timestamp() WHERE owner = $1
