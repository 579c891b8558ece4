using System.Collections.Concurrent;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>Real locks of another session's, in the job's way while it is within a transaction.</summary>
[Trait("Category", "Proof")]
public sealed class LockTests(PostgresFixture fixture)
{
    // As long as the jobs wait for a lock, and then a little.
    private static readonly TimeSpan TooLong = TimeSpan.FromSeconds(6);

    // Each table that nobody else has locked.
    private const string TakeWhatIsFree =
        """
        DO $do$
        DECLARE name text;
        BEGIN
            FOR name IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT LIKE 'schemaversions%' ORDER BY 1 LOOP
                BEGIN
                    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE NOWAIT', name);
                EXCEPTION WHEN lock_not_available THEN
                    NULL;
                END;
            END LOOP;
        END $do$
        """;

    private const string WhatTheJobHolds =
        """
        SELECT quote_ident(c.relname) FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
        WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.granted
          AND l.mode IN ('RowExclusiveLock', 'RowShareLock') AND c.relkind = 'r' AND l.pid <> pg_backend_pid()
        ORDER BY 1 LIMIT 1
        """;

    public static TheoryData<string> Names() =>
        [.. Scenarios.Names().Select(row => Scenarios.Find(row.Data)).Where(scenario => scenario.MovesMoney()).Select(scenario => scenario.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public Task A_lock_that_is_held_too_long_is_waited_for_again(string name) =>
        EveryAsync(name, "a lock held too long", "55P03", async (world, rival) =>
        {
            await Task.Delay(TooLong);
            await rival.DisposeAsync();
        });

    [Theory]
    [MemberData(nameof(Names))]
    public Task Who_loses_a_deadlock_does_its_transaction_again(string name) =>
        EveryAsync(name, "a deadlock", "40P01", async (world, rival) =>
        {
            await using (rival)
            {
                if (await ScalarAsync(rival, WhatTheJobHolds) is string table)
                    await ScalarAsync(rival, $"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
            }
        });

    private async Task EveryAsync(string name, string kind, string state, Func<JobWorld, NpgsqlConnection, Task> rivalry)
    {
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);
        var logs = new ConcurrentBag<string>();
        // The settings travel with the first statement of a transaction: without them it is a later one, and locks are held.
        var within = (await rig.RoundTripsAsync(repetitions: false))
            .Where(trip => FaultyRun.IsStatement(trip.Step))
            .Where(trip => !trip.Step.StartsWith("COMMIT", StringComparison.Ordinal) && !trip.Step.Contains("SET LOCAL", StringComparison.Ordinal))
            .ToList();

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, within.Evenly(Evidence.Times(2, proof: 10)), trip => rig.InWorldAsync(async world =>
        {
            var rivals = new ConcurrentBag<Task>();
            var result = await FaultyRun.RunAsync(scenario, world, new FaultPoint(kind, trip.Step, trip.Time, new PostgresFault(Phase.Before)
            {
                GoesOn = true,
                Meanwhile = async () =>
                {
                    var rival = await TakeAsync(world);
                    rivals.Add(rivalry(world, rival));
                },
            }));
            await Task.WhenAll(rivals);
            Assert.True(result.ExitCode == 0, result.ToString());
            logs.Add(result.Stderr);

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        }));

        Assert.Contains(logs, log => log.Contains(state, StringComparison.Ordinal));
    }

    /// <summary>In a transaction that never gives way.</summary>
    private static async Task<NpgsqlConnection> TakeAsync(JobWorld world)
    {
        var rival = new NpgsqlConnection(world.Server.ConnectionFor(world.Database).ConnectionString + ";Pooling=false");
        await rival.OpenAsync();
        await ScalarAsync(rival, $"BEGIN; SET LOCAL deadlock_timeout = '1min'; {TakeWhatIsFree}");
        return rival;
    }

    private static async Task<object?> ScalarAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync();
    }
}
