-- $1: the id.
DELETE FROM execution_events WHERE execution_id = $1
