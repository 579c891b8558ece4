using System.Collections.Concurrent;
using Jobs.Testing;

namespace Jobs.Tests.Rig;

/// <summary>
/// Worlds that wait for their next test. A world is taken back when its test changed nothing but rows: those are deleted, which is far
/// cheaper than another copy of the template, and the server's sessions know its tables already.
/// </summary>
internal sealed class WorldPool
{
    // An event trigger sees changes of tables and functions. The settings of the database and bulk that DELETE leaves behind are looked at.
    private const string Watch =
        """
        CREATE SCHEMA watched;
        CREATE TABLE watched.size AS SELECT pg_database_size(current_database()) AS bytes;
        DO $do$
        DECLARE name text; full_one boolean;
        BEGIN
            FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
                EXECUTE format('SELECT EXISTS (SELECT FROM %I)', name) INTO full_one;
                IF full_one THEN
                    EXECUTE format('CREATE TABLE watched.kept_%s AS SELECT * FROM %I', name, name);
                END IF;
            END LOOP;
        END $do$;
        CREATE SEQUENCE watched.changes;
        CREATE FUNCTION watched.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS
            $do$ BEGIN PERFORM nextval('watched.changes'); END $do$;
        CREATE EVENT TRIGGER watched_changes ON ddl_command_end EXECUTE FUNCTION watched.note();
        CREATE EVENT TRIGGER watched_drops ON sql_drop EXECUTE FUNCTION watched.note();
        """;

    private const string Empty =
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'jobs_test_login';
        DO $do$
        DECLARE name text;
        BEGIN
            IF (SELECT is_called FROM watched.changes)
               OR EXISTS (SELECT FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase WHERE d.datname = current_database())
               OR EXISTS (SELECT FROM pg_database WHERE datname = current_database() AND (datconnlimit <> -1 OR NOT datallowconn))
               OR (SELECT pg_database_size(current_database()) > bytes + 3000000 FROM watched.size) THEN
                RAISE EXCEPTION 'more than rows was changed';
            END IF;
            SET LOCAL session_replication_role = replica;
            FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' LOOP
                EXECUTE format('DELETE FROM %I', name);
                IF to_regclass('watched.kept_' || name) IS NOT NULL THEN
                    EXECUTE format('INSERT INTO %I OVERRIDING SYSTEM VALUE SELECT * FROM watched.kept_%s', name, name);
                END IF;
            END LOOP;
            PERFORM setval(oid, 1, false) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relname NOT LIKE 'schemaversions%';
        END $do$
        """;

    private readonly ConcurrentBag<JobWorld> _idle = [];

    /// <returns>False where the login may not do that: then each test gets a database of its own.</returns>
    public static async Task<bool> WatchAsync(ThrowawayPostgres server, string database)
    {
        try
        {
            await server.ExecuteAsync(database, Watch);
            return true;
        }
        catch (Npgsql.PostgresException e) when (e.SqlState == Npgsql.PostgresErrorCodes.InsufficientPrivilege)
        {
            return false;
        }
    }

    public JobWorld? TryTake() => _idle.TryTake(out var world) ? world : null;

    /// <returns>False when it is of no use to another test.</returns>
    public async Task<bool> TakeBackAsync(JobWorld world)
    {
        try
        {
            await world.StripAsync();
            await world.ExecuteAsync(Empty);
            await world.Stripe.ResetAsync();
            await world.Stripe.ClearFaultsAsync();
            await world.Stripe.ClearRequestsAsync();
            await world.Stripe.RealClockAsync();
        }
        catch (Exception e) when (e is Npgsql.NpgsqlException or HttpRequestException)
        {
            return false;
        }

        _idle.Add(world);
        return true;
    }

    public async Task EndAsync()
    {
        while (_idle.TryTake(out var world))
            await world.EndAsync();
    }
}
