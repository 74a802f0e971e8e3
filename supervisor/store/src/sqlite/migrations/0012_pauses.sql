-- What is paused: nothing of it starts. Kinds are `all` (of no name), `queue`, `workflow` and `organization` (by its id).
CREATE TABLE pauses (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    who TEXT NOT NULL,
    why TEXT,
    since INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
