-- Which of these are waited for. $1: what is asked about.
SELECT asked.waits_for FROM UNNEST($1::text[]) AS asked (waits_for)
WHERE EXISTS (SELECT FROM executions WHERE status = 'PENDING' AND executions.waits_for = asked.waits_for)
