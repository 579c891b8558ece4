-- Least privilege: `migrate` owns the schema, every other job may only read and write rows.
-- Run once as a role that may create roles, in the migrated database, and again after a migration that adds tables:
--
--     psql "$ADMIN_DATABASE_URL" -f migrations/grants.sql
--     psql "$ADMIN_DATABASE_URL" -c "CREATE ROLE jobs_login LOGIN PASSWORD '...' IN ROLE jobs"
--
-- backup-database reads everything and makes a scratch database in which it proves what it dumped. Its own login, in BACKUP_DATABASE_URL:
--
--     psql "$ADMIN_DATABASE_URL" -c "CREATE ROLE backup_login LOGIN PASSWORD '...' CREATEDB IN ROLE jobs_backup"
--
-- Safe to repeat.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobs') THEN
        CREATE ROLE jobs NOLOGIN;
    END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO jobs', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO jobs', current_schema());
    EXECUTE format('GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA %I TO jobs', current_schema());
    -- The journal is migrate's; receipts and audit rows are written once.
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I.schemaversions, %I.schemaversions_checksums FROM jobs', current_schema(), current_schema());
    EXECUTE format('REVOKE UPDATE, DELETE ON %I.receipts FROM jobs', current_schema());
    EXECUTE format('REVOKE UPDATE ON %I.audit_logs FROM jobs', current_schema());
    EXECUTE format('REVOKE UPDATE, DELETE ON %I.audit_log_archive FROM jobs', current_schema());
END
$$;

-- Also what is not of these jobs, where a superuser grants it; else tables of an application's own have to be granted to jobs_backup.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'jobs_backup') THEN
        CREATE ROLE jobs_backup NOLOGIN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO jobs_backup', current_schema());
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO jobs_backup', current_schema());
    EXECUTE format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %I TO jobs_backup', current_schema());
    BEGIN
        GRANT pg_read_all_data TO jobs_backup;
    EXCEPTION
        WHEN insufficient_privilege OR undefined_object THEN
            RAISE NOTICE 'jobs_backup may read the tables of this schema only: %', SQLERRM;
    END;
END
$$;
