using System.Diagnostics;
using System.Globalization;
using Jobs.Testing;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>A database that is only to be read: by setting, from the middle of a run on, and a real standby.</summary>
[Trait("Category", "Proof")]
public sealed class ReadOnlyTests(PostgresFixture fixture)
{
    public const string Sentence = "the database is read-only (a standby?); point DATABASE_URL at the primary server";

    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfRuns), MemberType = typeof(FaultyRun))]
    public async Task Where_nothing_may_be_written_nothing_is_done(string name)
    {
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, ["read-only"], _ => rig.InWorldAsync(async world =>
        {
            await SetAsync(world, "on");
            using var process = rig.Start(world);
            var result = await process.EndAsync();
            await SetAsync(world, "off");

            FaultyRun.EndedWell(result, world);
            Assert.True(result.ExitCode == 1, result.ToString());
            Assert.Equal(Sentence, FaultyRun.Error(result));
            await FaultyRun.NothingWasAskedForAsync(world);

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        }));
    }

    [Theory]
    [MemberData(nameof(FaultyRun.NamesOfMoney), MemberType = typeof(FaultyRun))]
    public async Task What_becomes_read_only_in_the_middle_of_a_run_ends_it_and_the_next_completes_the_work(string name)
    {
        var scenario = Scenarios.Find(name);
        var rig = new CrashRig(fixture, scenario);
        var trips = (await rig.RoundTripsAsync(scenario.MovesMoney())).Where(trip => FaultyRun.IsCommit(trip.Step)).ToList();

        await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, trips.Evenly(Evidence.Times(1, proof: scenario.MovesMoney() ? int.MaxValue : 4)), trip => rig.InWorldAsync(async world =>
        {
            var result = await FaultyRun.RunAsync(scenario, world, new FaultPoint(
                "read-only from there", trip.Step, trip.Time, new PostgresFault(Phase.Before) { Meanwhile = () => SetAsync(world, "on"), Everywhere = true }));
            await SetAsync(world, "off");
            Assert.True(result.ExitCode == 1 && FaultyRun.Error(result).Contains(Sentence, StringComparison.Ordinal), result.ToString());
            Assert.Equal(0, await world.ScalarAsync<long>("SELECT count(*) FROM job_item_failures"));

            await rig.RerunAsync(world);
            await rig.CompareAsync(world);
        }));
    }

    private static Task SetAsync(JobWorld world, string value) =>
        world.ExecuteAsync($"ALTER ROLE {PostgresFixture.JobsLogin} IN DATABASE \"{world.Database}\" SET default_transaction_read_only = {value}");
}

[Collection(nameof(OwnServer))]
[Trait("Category", "Proof")]
public sealed class StandbyTests(OwnServer own, PostgresFixture fixture)
{
    // Ends with whoever holds the other end of its standard input, and then leaves nothing behind.
    private const string Script =
        """
        bin=$1 folder=$2 port=$3 primary=$4
        trap '' INT TERM
        PGPASSWORD=$5 "$bin/pg_basebackup" -h 127.0.0.1 -p "$primary" -U postgres -D "$folder/data" -R -c fast -X stream >"$folder/log" 2>&1 &&
        "$bin/pg_ctl" -D "$folder/data" -s -w -t 60 -l "$folder/log" -o "-p $port -c unix_socket_directories=''" start </dev/null >>"$folder/log" 2>&1 &&
        echo ready || { tail -n 3 "$folder/log" | tr '\n' ' '; echo; }
        read -r end
        "$bin/pg_ctl" -D "$folder/data" -s -w -m immediate stop >/dev/null 2>&1
        rm -rf "$folder/data"
        """;

    [Fact]
    public async Task A_standby_is_recognised_and_nothing_is_asked_of_Stripe()
    {
        var server = await own.ServerAsync();
        Assert.SkipWhen(server.BinDirectory is null, "the server's own programs are not on this machine");
        var scenarios = FaultyRun.NamesOfRuns().Select(row => Scenarios.Find(row.Data)).Where(scenario => Evidence.Full || scenario.MovesMoney()).ToList();
        var worlds = new Dictionary<string, JobWorld>(StringComparer.Ordinal);
        var folder = Directory.CreateTempSubdirectory("jobs-standby-");
        try
        {
            foreach (var scenario in scenarios)
                worlds[scenario.Name] = await own.WorldAsync(scenario);
            var port = PgBouncer.FreePort();
            using var standby = await StartAsync(server, folder.FullName, port);
            foreach (var scenario in scenarios)
            {
                var (rig, world) = (new CrashRig(fixture, scenario), worlds[scenario.Name]);
                await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, ["a standby"], async _ =>
                {
                    using var process = FaultyRun.Start(scenario, world, port);
                    var result = await process.EndAsync();
                    FaultyRun.EndedWell(result, world);
                    Assert.True(result.ExitCode == 1, result.ToString());
                    Assert.Equal(ReadOnlyTests.Sentence, FaultyRun.Error(result));
                    await FaultyRun.NothingWasAskedForAsync(world);

                    await rig.RerunAsync(world);
                    await rig.CompareAsync(world);
                });
            }

            standby.StandardInput.Close();
            await standby.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
        finally
        {
            foreach (var world in worlds.Values)
                await world.DisposeAsync();
            folder.Delete(recursive: true);
        }
    }

    private static async Task<Process> StartAsync(ThrowawayPostgres server, string folder, int port)
    {
        // The server's folder belongs to the account that may run one.
        string[] account = Environment.IsPrivilegedProcess ? ["setpriv", $"--reuid={await OwnerAsync("%u")}", $"--regid={await OwnerAsync("%g")}", "--clear-groups"] : [];
        if (account.Length > 0)
            await ShellAsync("chown", $"{await OwnerAsync("%u")}:{await OwnerAsync("%g")}", folder);
        string[] line =
        [
            .. account, "sh", "-c", Script, "standby", server.BinDirectory!, folder,
            port.ToString(CultureInfo.InvariantCulture), server.Port.ToString(CultureInfo.InvariantCulture), server.Password,
        ];
        var standby = Process.Start(new ProcessStartInfo(line[0], line[1..]) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true })!;
        var said = await standby.StandardOutput.ReadLineAsync();
        Assert.True(said == "ready", $"the standby did not start: {said}");
        return standby;

        Task<string> OwnerAsync(string format) => ShellAsync("stat", "-c", format, Path.Combine(server.SocketDirectory!, "data"));
    }

    internal static async Task<string> ShellAsync(string program, params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo(program, args) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (await process.StandardOutput.ReadToEndAsync(), await process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"{program} {string.Join(' ', args)}: {error}");
    }
}
