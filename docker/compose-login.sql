-- The login of the jobs in compose.yaml's PostgreSQL, which nobody else reaches.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'billing') THEN
        CREATE ROLE billing LOGIN PASSWORD 'not-a-secret' IN ROLE jobs;
    END IF;
END
$$;
