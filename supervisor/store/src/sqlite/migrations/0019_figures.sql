-- What each supervisor notes of a minute and of a quarter of an hour, in its own words, for charts of what was. It is forgotten after
-- hours and days.
CREATE TABLE supervisor_figures (
    supervisor TEXT NOT NULL,
    minutes INTEGER NOT NULL,
    begins_at INTEGER NOT NULL,
    -- A JSON object.
    figures TEXT NOT NULL,
    PRIMARY KEY (minutes, begins_at, supervisor)
) STRICT, WITHOUT ROWID;
