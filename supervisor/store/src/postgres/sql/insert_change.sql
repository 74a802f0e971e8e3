INSERT INTO changes_log (at, who, kind, name, organization, before, after)
VALUES (clock_timestamp(), $1, $2, $3, $4, $5, $6)
