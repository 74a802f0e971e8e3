SELECT id, name, url, events, workflows, is_paused
FROM webhooks
ORDER BY name
