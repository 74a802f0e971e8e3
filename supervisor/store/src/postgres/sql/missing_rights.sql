-- What this user would need and may not do.
SELECT needed.right_name || ' ' || needed.table_name AS missing
FROM (
    VALUES
    ('executions', 'SELECT'), ('executions', 'INSERT'), ('executions', 'UPDATE'), ('executions', 'DELETE'),
    ('execution_requests', 'SELECT'), ('execution_requests', 'INSERT'), ('execution_requests', 'UPDATE'),
    ('execution_requests', 'DELETE'),
    ('execution_logs', 'SELECT'), ('execution_logs', 'INSERT'),
    ('execution_events', 'SELECT'), ('execution_events', 'INSERT'),
    ('unpublished_outcomes', 'SELECT'), ('unpublished_outcomes', 'INSERT'), ('unpublished_outcomes', 'DELETE'),
    ('state_entries', 'SELECT'), ('state_entries', 'INSERT'), ('state_entries', 'UPDATE'),
    ('state_entries', 'DELETE'),
    ('limits', 'SELECT'), ('limits', 'INSERT'), ('limits', 'UPDATE'), ('limits', 'DELETE'),
    ('declared_workflows', 'SELECT'), ('declared_workflows', 'INSERT'), ('declared_workflows', 'UPDATE'),
    ('declared_workflows', 'DELETE'),
    ('limit_holders', 'SELECT'), ('limit_holders', 'INSERT'), ('limit_holders', 'UPDATE'), ('limit_holders', 'DELETE'),
    ('limit_rates', 'SELECT'), ('limit_rates', 'INSERT'), ('limit_rates', 'UPDATE'), ('limit_rates', 'DELETE'),
    ('supervisor_presences', 'SELECT'), ('supervisor_presences', 'INSERT'),
    ('supervisor_presences', 'UPDATE'), ('supervisor_presences', 'DELETE'),
    ('supervisor_figures', 'SELECT'), ('supervisor_figures', 'INSERT'), ('supervisor_figures', 'UPDATE'),
    ('supervisor_figures', 'DELETE'),
    ('organizations', 'SELECT'), ('workflows', 'SELECT'), ('config_entries', 'SELECT'),
    ('definition_version', 'SELECT'), ('pauses', 'SELECT'),
    ('schedules', 'SELECT'), ('schedules', 'UPDATE'),
    ('webhooks', 'SELECT'), ('webhook_deliveries', 'SELECT'), ('webhook_deliveries', 'INSERT'),
    ('webhook_deliveries', 'UPDATE'), ('webhook_deliveries', 'DELETE'),
    ('muster_migrations', 'SELECT')
) AS needed (table_name, right_name)
WHERE NOT has_table_privilege(needed.table_name, needed.right_name)
ORDER BY needed.table_name, needed.right_name
