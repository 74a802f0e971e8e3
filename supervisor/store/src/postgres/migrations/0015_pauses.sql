-- What is paused: nothing of it starts. A supervisor of an earlier version does not read this: it starts what is paused, but
-- for rows that others took out of the claim (`waits_for` is `pause:...`), which it lets be.
--
-- Kinds are `all` (of no name), `queue`, `workflow` and `organization` (by its id).
CREATE TABLE pauses (
    kind text NOT NULL,
    name text NOT NULL,
    who text NOT NULL,
    why text,
    since timestamptz NOT NULL,
    PRIMARY KEY (kind, name)
);
