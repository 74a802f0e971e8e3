-- ?1: the kind, ?2: the name, ?3: who, ?4: why, ?5: now. It is paused since the first who said so.
INSERT INTO pauses (kind, name, who, why, since) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (kind, name) DO UPDATE SET who = excluded.who, why = excluded.why
