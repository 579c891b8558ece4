-- The login of the jobs in compose.yaml's PostgreSQL, which nobody else reaches.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing') THEN
        -- backup-database proves in a database of its own what it dumped.
        CREATE ROLE billing LOGIN PASSWORD 'not-a-secret' CREATEDB IN ROLE jobs;
    END IF;
END
$$;
