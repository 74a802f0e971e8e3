-- What a workflow's row says of its ends: who is told of them besides those who are told of all, by the name of the webhook, and
-- for how many days they are kept, where 0 is for ever. A supervisor of an earlier version reads none of it: who is named is told
-- of nothing that it ends, and it keeps what ended for as long as its settings say.
ALTER TABLE workflows
    ADD COLUMN webhook text,
    ADD COLUMN retention_days double precision,
    ADD COLUMN retention_failed_days double precision;
-- Whether any row names somebody: whoever ends executions asks this first.
CREATE INDEX workflows_naming_webhooks ON workflows (webhook) WHERE webhook IS NOT NULL;
