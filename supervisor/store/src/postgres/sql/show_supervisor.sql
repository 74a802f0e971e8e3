-- $1: who it is, $2: its version, $3: how it is, a JSON object.
UPDATE supervisors SET version = $2, state = $3, last_seen_at = clock_timestamp() WHERE id = $1
