-- Requests may say who is told what they came to: such a delivery has its address with it, and its `webhook_id` is of no row.
-- A supervisor of an earlier version notes none of them when it ends an execution, and leaves those that are noted to others.
ALTER TABLE webhook_deliveries ADD COLUMN url TEXT;
CREATE INDEX webhook_deliveries_of_requests ON webhook_deliveries (due_at) WHERE url IS NOT NULL AND due_at IS NOT NULL;
