SELECT name, terms FROM declared_workflows ORDER BY name
