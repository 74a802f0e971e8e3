-- ?1: a JSON array of events.
INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail)
SELECT
    value ->> 'id', value ->> 'at', value ->> 'event', value ->> 'attempt', value ->> 'supervisor',
    value ->> 'detail'
FROM json_each(?1)
