-- Which of these are waited for. ?1: a JSON array of what is asked about.
SELECT asked.value AS waits_for FROM json_each(?1) AS asked
WHERE EXISTS (SELECT 1 FROM executions WHERE status = 'PENDING' AND executions.waits_for = asked.value)
