-- ?1: the name of a workflow, ?2: what its code declares.
INSERT INTO declared_workflows (name, terms) VALUES (?1, ?2)
ON CONFLICT (name) DO UPDATE SET terms = excluded.terms
