-- What each supervisor notes of a minute and of a quarter of an hour, in its own words, for charts of what was. It is forgotten after
-- hours and days. A supervisor of an earlier version notes nothing.
CREATE TABLE supervisor_figures (
    supervisor uuid NOT NULL,
    minutes bigint NOT NULL,
    begins_at timestamptz NOT NULL,
    -- A JSON object.
    figures text NOT NULL,
    PRIMARY KEY (minutes, begins_at, supervisor)
);
