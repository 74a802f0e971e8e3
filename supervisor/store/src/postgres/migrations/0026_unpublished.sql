-- Outcomes that are committed and not yet published: a row from the commit to the publishing, in a table that is nearly empty. To note
-- it on the row of the execution took another version of that row and three entries in its indexes. A supervisor of an earlier version
-- leaves notified_at empty instead, and both are looked for.
CREATE TABLE unpublished_outcomes (
    execution_id uuid PRIMARY KEY,
    completed_at timestamptz NOT NULL
);
