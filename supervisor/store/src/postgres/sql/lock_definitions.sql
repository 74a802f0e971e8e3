-- Whoever changes definitions after us waits here.
SELECT version FROM definition_version FOR UPDATE
