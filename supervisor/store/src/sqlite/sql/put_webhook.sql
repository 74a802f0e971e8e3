INSERT INTO webhooks (id, name, url, events, workflows, is_paused)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (id) DO UPDATE
SET
    name = excluded.name,
    url = excluded.url,
    events = excluded.events,
    workflows = excluded.workflows,
    is_paused = excluded.is_paused
