-- What a workflow's row says of its ends: who is told of them besides those who are told of all, by the name of the webhook, and
-- for how many days they are kept, where 0 is for ever.
ALTER TABLE workflows ADD COLUMN webhook TEXT;
ALTER TABLE workflows ADD COLUMN retention_days REAL;
ALTER TABLE workflows ADD COLUMN retention_failed_days REAL;
-- Whether any row names somebody: whoever ends executions asks this first.
CREATE INDEX workflows_naming_webhooks ON workflows (webhook) WHERE webhook IS NOT NULL;
