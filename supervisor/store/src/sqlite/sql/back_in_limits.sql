-- Of executions that wait again: that they do not run, in the limits that count whom they let in. ?1: a JSON array of ids.
UPDATE limit_holders SET runs = 0
WHERE execution_id IN (SELECT value FROM json_each(?1)) AND runs
    AND EXISTS (SELECT 1 FROM limits WHERE limits.name = limit_name AND on_full <> 'wait')
    AND EXISTS (SELECT 1 FROM executions WHERE executions.id = execution_id AND status = 'PENDING')
