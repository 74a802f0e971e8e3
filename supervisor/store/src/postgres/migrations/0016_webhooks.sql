-- Who is told what executions came to, and what is to be told. `due_at` is when a delivery is tried next: nothing once it is
-- over. Whoever takes one puts it off, so that it comes again should they die.
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    url text NOT NULL,
    events jsonb,
    workflows jsonb,
    is_paused boolean NOT NULL DEFAULT false
);
CREATE TRIGGER definitions_changed
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON webhooks
    FOR EACH STATEMENT EXECUTE FUNCTION muster_definitions_changed();
CREATE TABLE webhook_deliveries (
    execution_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    event text NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    delivered_at timestamptz,
    last_status bigint,
    last_error text,
    history text,
    PRIMARY KEY (execution_id, webhook_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook_id, created_at);
