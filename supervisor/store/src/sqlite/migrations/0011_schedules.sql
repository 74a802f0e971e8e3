-- When which workflow runs by itself. `next_at` is the moment of the next tick, `due_at` when it is run; none of them of one
-- that nobody has looked at since it was changed.
CREATE TABLE schedules (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    workflow TEXT NOT NULL,
    organization_id TEXT,
    cron TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    queue TEXT,
    parameters TEXT,
    overlap TEXT NOT NULL,
    missed TEXT NOT NULL,
    missed_seconds INTEGER NOT NULL,
    jitter_seconds INTEGER NOT NULL,
    is_paused INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER,
    due_at INTEGER,
    last_at INTEGER,
    last_execution TEXT,
    last_outcome TEXT
) STRICT;
CREATE INDEX schedules_due ON schedules (coalesce(due_at, 0)) WHERE is_paused = 0;
CREATE INDEX schedules_last ON schedules (last_at) WHERE is_paused = 0;
-- What a tick writes is no change of what is defined.
CREATE TRIGGER schedules_inserted AFTER INSERT ON schedules BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER schedules_deleted AFTER DELETE ON schedules BEGIN UPDATE definition_version SET version = version + 1; END;
CREATE TRIGGER schedules_updated
AFTER UPDATE OF name, workflow, organization_id, cron, time_zone, queue, parameters, overlap, missed, missed_seconds, jitter_seconds,
    is_paused ON schedules
BEGIN UPDATE definition_version SET version = version + 1; END;
