using Jobs.Tests.Crash;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Terminals;

/// <summary>
/// SIGKILL at every step of process-payment-queue, then more runs until nothing is open. A payment whose request may have left is
/// never sent again, so the end may be another than undisturbed (not paid instead of paid); what must hold is that the books and
/// SumUp's ledger agree.
/// </summary>
[Trait("Category", "Proof")]
public sealed class CounterKillTests(PostgresFixture fixture)
{
    [Fact]
    public async Task Killed_before_or_after_any_round_trip_to_the_database_no_payment_is_lost_or_taken_twice()
    {
        IReadOnlyList<Point> points;
        await using (var counter = await SeedAsync())
        await using (var proxy = await PostgresProxy.StartAsync(counter.World.Server.Host, counter.World.Server.Port))
        {
            using var process = Start(counter, proxy);
            var result = await process.EndAsync();
            Assert.True(result is { ExitCode: 0 } && result.Counter("approved") == 2 && result.Counter("declined") == 1, result.ToString());
            await counter.SettledAsync();
            points = [.. Points.Of(proxy.Log).DistinctBy(point => (point.Step, point.Phase, Math.Min(point.Time, 2)))];
        }

        await Evidence.EveryAsync("process-payment-queue", Trouble.KilledAtRoundTrip, points, async point =>
        {
            await using var counter = await SeedAsync();
            await using (var proxy = await PostgresProxy.StartAsync(counter.World.Server.Host, counter.World.Server.Port))
            {
                proxy.StopAt(point.Step, point.Time, point.Phase);
                using var process = Start(counter, proxy);
                var end = process.EndAsync();
                await Task.WhenAny(proxy.Reached, end);
                process.Kill();
                await end;
            }

            await FinishAsync(counter);
        });
    }

    [Fact]
    public async Task Killed_before_or_after_any_call_is_carried_out_by_SumUp_no_payment_is_lost_or_taken_twice()
    {
        int calls;
        await using (var counter = await SeedAsync())
        {
            Assert.Equal(0, (await counter.RunAsync()).ExitCode);
            calls = (await counter.Merchant.RequestsAsync()).Count;
        }

        await Evidence.EveryAsync(
            "process-payment-queue", Trouble.KilledAtCall, from call in Enumerable.Range(1, Math.Min(calls, 16)) from hang in new[] { "hang_before", "hang_after" } select (call, hang),
            async point =>
            {
                await using var counter = await SeedAsync();
                await counter.Merchant.FaultAsync(point.hang, nth: point.call);
                using (var process = counter.World.Start("process-payment-queue", "--output", "json"))
                {
                    var end = process.EndAsync();
                    await Task.WhenAny(counter.Merchant.HeldAsync(), end);
                    process.Kill();
                    await end;
                }

                await counter.Merchant.ClearFaultsAsync();
                await FinishAsync(counter);
            });
    }

    [Fact]
    public async Task Two_runs_at_once_whose_leases_are_useless_take_nothing_twice() =>
        await Evidence.EveryAsync("process-payment-queue", Trouble.TwoAtOnce, Enumerable.Range(0, 6), async time =>
        {
            await using var counter = await SeedAsync();
            await counter.World.ExecuteAsync(
                """
                CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN NEW.expires_at := clock_timestamp() - interval '1 hour'; RETURN NEW; END $$;
                CREATE TRIGGER run_out BEFORE INSERT OR UPDATE ON leases FOR EACH ROW EXECUTE FUNCTION run_out();
                """);
            using var first = counter.World.Start("process-payment-queue", "--output", "json");
            await Task.Delay(30 * time);
            using var second = counter.World.Start("process-payment-queue", "--output", "json");
            foreach (var result in new[] { await first.EndAsync(), await second.EndAsync() })
                Assert.True(result.ExitCode == 0, result.ToString());
            await FinishAsync(counter);
        });

    private async Task<CounterScene> SeedAsync()
    {
        var counter = await CounterScene.OpenAsync(fixture, "A", "B");
        await counter.Merchant.ScriptAsync("A", new { outcome = "decline" });
        foreach (var payer in new[] { "ada", "bea", "cyd" })
            await counter.QueueAsync(payer);
        return counter;
    }

    private static JobProcess Start(CounterScene counter, PostgresProxy proxy)
    {
        var environment = new Dictionary<string, string?>(counter.World.Environment, StringComparer.Ordinal)
        {
            ["DATABASE_URL"] = CrashRig.Through(proxy, counter.World.Server, counter.World.Environment["DATABASE_URL"]!),
        };
        return JobProcess.Start("process-payment-queue", environment, "--output", "json");
    }

    /// <summary>As the schedule does: again and again, until nothing is open.</summary>
    private static async Task FinishAsync(CounterScene counter)
    {
        for (var run = 0; run < 5; run++)
        {
            var result = await counter.RunAsync();
            Assert.True(result.ExitCode == 0, $"the next run: {result}");
            if (await counter.World.ScalarAsync<long>("SELECT count(*) FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown')") == 0)
                break;
        }

        await counter.SettledAsync();
    }
}
