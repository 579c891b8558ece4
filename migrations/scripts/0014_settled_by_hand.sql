-- The person who started the run through jobctl; empty: nobody in particular.
ALTER TABLE job_runs ADD COLUMN actor text NOT NULL DEFAULT '';

-- What a person decided about a mail that was not delivered, or of which nobody knows.
ALTER TABLE notifications
    ADD COLUMN resolved_at timestamptz,
    ADD COLUMN resolution  text;

CREATE INDEX notifications_unresolved ON notifications (id) WHERE status IN ('failed', 'unknown') AND resolved_at IS NULL;

-- Left alone for good, and no longer listed as an open matter.
ALTER TABLE job_item_failures
    ADD COLUMN dropped_at  timestamptz,
    ADD COLUMN drop_reason text;
