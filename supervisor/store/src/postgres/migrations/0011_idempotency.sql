-- Which execution a key stands for, for as long as it is remembered. The scope is the organization, the zero id for none.
CREATE TABLE idempotency_keys (
    scope uuid NOT NULL,
    key text NOT NULL,
    execution_id uuid NOT NULL,
    fingerprint text NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_expiring ON idempotency_keys (expires_at);
