using Jobs.Testing;
using Jobs.Tests.Crash;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Database;

/// <summary>The database lies on a disk of a few megabytes that is really full, from the start or from the middle of a run on.</summary>
[Collection(nameof(OwnServer))]
[Trait("Category", "Proof")]
public sealed class DiskFullTests(OwnServer own, PostgresFixture fixture)
{
    private const string Sentence = "the database server's disk is full; free space on it, then run again";

    [Fact]
    public async Task On_a_full_disk_a_run_says_so_and_when_there_is_room_again_the_next_completes_the_work()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "only root can mount a small disk");
        var server = await own.ServerAsync();
        Assert.SkipWhen(server.SocketDirectory is null || !Directory.Exists(Path.Combine(server.SocketDirectory, "data")), "the server does not lie on this machine");
        var disk = Directory.CreateTempSubdirectory("jobs-disk-").FullName;
        try
        {
            var owner = await StandbyTests.ShellAsync("stat", "-c", "uid=%u,gid=%g", Path.Combine(server.SocketDirectory, "data"));
            await StandbyTests.ShellAsync("mount", "-t", "tmpfs", "-o", $"size=64m,mode=0700,{owner}", "tmpfs", disk);
        }
        catch (InvalidOperationException e)
        {
            Directory.Delete(disk);
            Assert.Skip($"a small disk cannot be mounted here: {e.Message}");
        }

        try
        {
            await server.ExecuteAsync("postgres", $"CREATE TABLESPACE small LOCATION '{disk}'");
            // Moving databases to the disk and filling it takes its time.
            foreach (var name in FaultyRun.NamesOfMoney().Select(row => row.Data).Take(Evidence.Full ? int.MaxValue : 1))
                await FillAsync(server, Scenarios.Find(name), disk);
            await server.ExecuteAsync("postgres", "DROP TABLESPACE small");
        }
        finally
        {
            await StandbyTests.ShellAsync("umount", "-l", disk);
            Directory.Delete(disk);
        }
    }

    private async Task FillAsync(ThrowawayPostgres server, Scenario scenario, string disk)
    {
        var rig = new CrashRig(fixture, scenario);
        var trips = (await rig.RoundTripsAsync(repetitions: scenario.MovesMoney())).Where(trip => trip.Step != "connect").ToList();
        var count = scenario.MovesMoney() ? Evidence.Times(2, proof: 10, endless: 20) : Evidence.Times(0, proof: 2, endless: 6);
        // At the first statement there is no room for the lease, nor for the run's row.
        (string Step, int Time)[] first = [trips.First(trip => FaultyRun.IsCommit(trip.Step))];
        var said = 0;
        foreach (var trip in first.Concat(trips.Evenly(count)).Distinct())
        {
            await Evidence.EveryAsync(rig.Job, Trouble.DatabaseFault, [$"disk full from #{trip.Time} of {trip.Step} on"], async _ =>
            {
                await using var world = await own.WorldAsync(scenario);
                world.ForgetConnections();
                await server.ExecuteAsync("postgres", $"ALTER DATABASE \"{world.Database}\" SET TABLESPACE small");
                var ballast = Path.Combine(disk, "ballast");
                var result = await FaultyRun.RunAsync(scenario, world, new FaultPoint(
                    "disk full", trip.Step, trip.Time, new PostgresFault(Phase.Before) { GoesOn = true, Meanwhile = () => Task.Run(() => Fill(ballast)) }));
                File.Delete(ballast);
                // What there is to write may still fit on the pages that a table has.
                if (result.ExitCode != 0)
                {
                    Assert.Contains(Sentence, FaultyRun.Error(result), StringComparison.Ordinal);
                    said++;
                }

                await rig.RerunAsync(world);
                await rig.CompareAsync(world);
            });
        }

        Assert.True(said > 0, $"{scenario.Name} never met the full disk");
    }

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var (nothing, size) = (new byte[1 << 20], 1 << 20);
        while (size >= 512)
        {
            try
            {
                file.Write(nothing.AsSpan(0, size));
            }
            catch (IOException)
            {
                size /= 2;
            }
        }
    }
}
