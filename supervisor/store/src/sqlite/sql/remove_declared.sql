-- ?1: the name of a workflow.
DELETE FROM declared_workflows WHERE name = ?1
