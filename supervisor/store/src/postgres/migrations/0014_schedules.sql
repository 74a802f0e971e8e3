-- When which workflow runs by itself. `next_at` is the moment of the next tick, `due_at` when it is run; none of them of one
-- that nobody has looked at since it was changed.
CREATE TABLE schedules (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    workflow text NOT NULL,
    organization_id uuid,
    cron text NOT NULL,
    time_zone text NOT NULL,
    queue text,
    parameters text,
    overlap text NOT NULL,
    missed text NOT NULL,
    missed_seconds bigint NOT NULL,
    jitter_seconds bigint NOT NULL,
    is_paused boolean NOT NULL DEFAULT false,
    next_at timestamptz,
    due_at timestamptz,
    last_at timestamptz,
    last_execution uuid,
    last_outcome text
);
CREATE INDEX schedules_due ON schedules (coalesce(due_at, '-infinity'::timestamptz)) WHERE NOT is_paused;
CREATE INDEX schedules_last ON schedules (last_at) WHERE NOT is_paused;
-- What a tick writes is no change of what is defined.
CREATE TRIGGER definitions_changed
    AFTER INSERT OR DELETE OR TRUNCATE
        OR UPDATE OF name, workflow, organization_id, cron, time_zone, queue, parameters, overlap, missed, missed_seconds,
            jitter_seconds, is_paused ON schedules
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
