-- Job singletons and per-user payment locks alike. A row, not a session lock: it works behind PgBouncer.
CREATE TABLE leases (
    name       text PRIMARY KEY,
    holder     text NOT NULL,
    expires_at timestamptz NOT NULL
);

CREATE TABLE job_runs (
    id          uuid PRIMARY KEY,
    job         text NOT NULL,
    trigger     text NOT NULL DEFAULT 'manual',
    as_of       timestamptz,
    shard       text,
    -- Restricted by --only or --limit: no proof that everything due was handled.
    partial     boolean NOT NULL DEFAULT false,
    status      text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'skipped', 'failed', 'interrupted')),
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    counters    jsonb NOT NULL DEFAULT '{}',
    error       text,
    host        text NOT NULL DEFAULT '',
    version     text NOT NULL DEFAULT ''
);

CREATE INDEX job_runs_by_job ON job_runs (job, started_at DESC);
CREATE INDEX job_runs_by_age ON job_runs (started_at);
CREATE INDEX job_runs_running ON job_runs (job) WHERE status = 'running';

CREATE TABLE job_totals (
    job     text NOT NULL,
    counter text NOT NULL,
    value   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job, counter)
);

CREATE TABLE job_cursors (
    job        text NOT NULL,
    name       text NOT NULL,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job, name)
);

CREATE TABLE job_pauses (
    job        text PRIMARY KEY,
    reason     text NOT NULL DEFAULT '',
    until      timestamptz,
    actor      text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Items that failed for a reason of their own; parked after repeated failure so that they block nobody.
CREATE TABLE job_item_failures (
    job            text NOT NULL,
    item           text NOT NULL,
    failures       integer NOT NULL DEFAULT 1,
    last_error     text NOT NULL DEFAULT '',
    last_failed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    parked_at      timestamptz,
    PRIMARY KEY (job, item)
);
