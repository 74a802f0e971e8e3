-- ?1: how many minutes, ?2: since when.
SELECT supervisor, minutes, begins_at, figures FROM supervisor_figures
WHERE minutes = ?1 AND begins_at >= ?2 ORDER BY begins_at
