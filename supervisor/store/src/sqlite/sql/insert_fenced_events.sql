-- Events of attempts that are still ours. ?1: a JSON array of events.
INSERT INTO execution_events (execution_id, at, event, attempt, supervisor, detail)
SELECT
    executions.id, value ->> 'at', value ->> 'event', executions.attempt, executions.lease_owner,
    value ->> 'detail'
FROM json_each(?1) JOIN executions
    ON executions.id = value ->> 'id' AND executions.attempt = value ->> 'attempt'
        AND executions.lease_owner = value ->> 'supervisor'
