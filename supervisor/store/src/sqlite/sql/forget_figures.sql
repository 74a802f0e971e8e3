-- ?1: how many minutes, ?2: what began before it is forgotten.
DELETE FROM supervisor_figures WHERE minutes = ?1 AND begins_at < ?2
