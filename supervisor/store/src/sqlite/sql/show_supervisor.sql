-- ?1: who it is, ?2: its version, ?3: how it is, a JSON object, ?4: now.
UPDATE supervisors SET version = ?2, state = ?3, last_seen_at = ?4 WHERE id = ?1
