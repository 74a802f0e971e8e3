SELECT id, name, url, events::text AS events, workflows::text AS workflows, is_paused
FROM webhooks
ORDER BY name
