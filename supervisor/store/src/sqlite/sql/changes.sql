-- ?1: before this number, ?2: at most so many.
SELECT number, at, who, kind, name, organization, before, after
FROM changes_log
WHERE number < ?1
ORDER BY number DESC
LIMIT ?2
