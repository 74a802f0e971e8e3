-- ?1: who noted it, ?2: how many minutes, ?3: when they begin, ?4: what there was in them.
INSERT INTO supervisor_figures (supervisor, minutes, begins_at, figures) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (minutes, begins_at, supervisor) DO UPDATE SET figures = excluded.figures
