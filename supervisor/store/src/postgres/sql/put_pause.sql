-- $1: the kind, $2: the name, $3: who, $4: why. It is paused since the first who said so.
INSERT INTO pauses (kind, name, who, why, since) VALUES ($1, $2, $3, $4, clock_timestamp())
ON CONFLICT (kind, name) DO UPDATE SET who = excluded.who, why = excluded.why
