-- Reaches the listeners at the commit.
SELECT pg_notify('muster_pending', '')
