-- $1: the name of a workflow. What no row has is removed to be counted as a change, and its count locked, by whoever goes
-- on to change more.
DELETE FROM declared_workflows WHERE name = $1
