-- Whom the request itself names, apart from the rest of it: whoever ends an execution need not read a request that may be large.
ALTER TABLE executions ADD COLUMN webhook TEXT;
