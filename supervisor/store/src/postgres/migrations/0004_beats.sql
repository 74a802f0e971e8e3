-- A supervisor shows that it lives by a beat on whichever connection works, beside the lock on one of them; and says
-- which process it is, so that others on its host can ask the system. One that is older writes none of this, and is
-- judged by its leases alone.
ALTER TABLE supervisor_presences
    ADD COLUMN beats bigint,
    ADD COLUMN beat_at timestamptz,
    ADD COLUMN lease_us bigint,
    ADD COLUMN host text,
    ADD COLUMN process_id bigint,
    ADD COLUMN process_started bigint;
