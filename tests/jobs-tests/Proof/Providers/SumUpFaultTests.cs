using Jobs.Tests.Rig;
using Jobs.Tests.Terminals;
using Xunit;

namespace Jobs.Tests.Proof.Providers;

/// <summary>
/// Every way in which SumUp's answer can be lost, late, broken or an error, at every call of process-payment-queue. A payment whose
/// request may have left is never sent again, so the end may be another than undisturbed (not paid instead of paid); what must hold is
/// that the books and SumUp's ledger agree, and that nobody is held for ever.
/// </summary>
[Trait("Category", "Proof")]
public sealed class SumUpFaultTests(PostgresFixture fixture)
{
    private const string Job = "process-payment-queue";

    // What is under way is followed for three minutes, one payment after the other, also when its result cannot be asked for.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private static readonly int[] Statuses = [401, 404, 409, 422, 429, 500, 503];

    private static readonly string[] Faults =
    [
        "drop_before", "drop_after", "delay_before:600", "delay_after:600", .. Statuses.Select(status => $"status_before:{status}"),
        .. Statuses.Select(status => $"status_after:{status}"), "truncated_body", "half_json", "html", "empty",
    ];

    // Of each run, at least.
    private const int Reads = 8;

    /// <summary>Who puts a payment on the reader and answers that it did not is believed: there is no other way to ever send it again.</summary>
    private static bool IsALie(string fault) => fault is "status_after:401" or "status_after:404" or "status_after:422" or "status_after:429";

    private static readonly string[] Hangs = ["hang_before", "hang_after"];

    private static readonly (string Method, string Path)[] Kinds =
        [("GET", "/readers$"), ("GET", "/status$"), ("POST", "/checkout$"), ("GET", "/transactions$"), ("GET", "/checkout/"), ("GET", "/history$")];

    [Fact]
    public async Task One_call_goes_wrong()
    {
        var calls = await CallsAsync();
        await Evidence.EveryAsync(Job, Trouble.ProviderFault, RunEnds.Pairs(calls, Faults, each: 5), async point =>
        {
            await using var counter = await SeedAsync();
            await (IsALie(point.Trouble)
                ? counter.Merchant.FaultAsync(point.Trouble, method: "GET", nth: ((point.Place - 1) % Reads) + 1)
                : counter.Merchant.FaultAsync(point.Trouble, nth: point.Place));
            await RunAsync(counter);
            await FinishAsync(counter);
        });
    }

    [Fact]
    public async Task All_calls_of_a_kind_go_wrong_for_the_whole_run()
    {
        Assert.SkipUnless(Evidence.Full, "minutes of waiting for results that do not come: make proof");
        var points = RunEnds.Pairs(Kinds.Length, Faults, each: 5).Select(pair => (Kind: Kinds[pair.Place - 1], pair.Trouble))
            .Where(point => point.Kind.Method == "GET" || !IsALie(point.Trouble));
        await Evidence.EveryAsync(Job, Trouble.ProviderFault, points, async point =>
        {
            var ((method, path), fault) = point;
            await using var counter = await SeedAsync();
            await counter.Merchant.FaultAsync(fault, path, method);
            await RunAsync(counter);
            await FinishAsync(counter);
        });
    }

    /// <summary>25 seconds of it, as long as the client waits.</summary>
    [Fact]
    public async Task An_answer_does_not_come()
    {
        var calls = Math.Min(await CallsAsync(), Evidence.Times(1, proof: 8));
        var points = from call in Enumerable.Range(1, calls) from hang in Hangs where Evidence.Full || hang == "hang_after" select (call, hang);
        await Evidence.EveryAsync(Job, Trouble.ProviderFault, points, async point =>
        {
            await using var counter = await SeedAsync();
            await (Evidence.Full ? counter.Merchant.FaultAsync(point.hang, nth: point.call) : counter.Merchant.FaultAsync(point.hang, "/checkout$", "POST", nth: 1));
            await RunAsync(counter);
            await FinishAsync(counter);
        });
    }

    private async Task<int> CallsAsync()
    {
        await using var counter = await SeedAsync();
        var run = await counter.RunAsync();
        Assert.True(run.ExitCode == 0 && run.Counter("approved") == 2 && run.Counter("declined") == 1, run.ToString());
        await counter.SettledAsync();
        // How often it is asked what became of a payment depends on the clock; the first times are enough.
        return Math.Min((await counter.Merchant.RequestsAsync()).Count, 16);
    }

    private async Task<CounterScene> SeedAsync()
    {
        var counter = await CounterScene.OpenAsync(fixture, "A", "B");
        await counter.Merchant.ScriptAsync("A", new { outcome = "decline" });
        foreach (var payer in new[] { "ada", "bea", "cyd" })
            await counter.QueueAsync(payer);
        return counter;
    }

    private static async Task RunAsync(CounterScene counter)
    {
        using var process = counter.World.StartPublished(Job, "--output", "json", "--drain-for", "4s");
        var run = await process.EndAsync(Patience);
        Assert.Contains(await counter.Merchant.RequestsAsync(), request => request.Fault is not null);
        await counter.Merchant.ClearFaultsAsync();
        RunEnds.InASentence(run, counter.Merchant.Key, "sup_afk_fake");
        // What was answered until now is on the books, whatever else is open.
        Assert.Equal(0, await counter.World.ScalarAsync<long>("SELECT count(*) FROM job_item_failures"));
    }

    /// <summary>As the schedule does: again and again, until nothing is open. Readers and results that were to be left alone for a while are asked at once.</summary>
    private static async Task FinishAsync(CounterScene counter)
    {
        for (var n = 0; n < 6; n++)
        {
            await counter.World.ExecuteAsync(
                "UPDATE payment_terminals SET retry_at = NULL; UPDATE terminal_attempts SET next_check_at = clock_timestamp() WHERE settled_at IS NULL");
            var run = await counter.RunAsync();
            Assert.True(run.ExitCode == 0, $"the next run: {run}");
            if (await counter.World.ScalarAsync<long>("SELECT count(*) FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown')") == 0)
                break;
        }

        await counter.SettledAsync();
        Assert.Equal(3, await counter.World.ScalarAsync<long>("SELECT count(*) FROM payments WHERE status IN ('succeeded', 'failed', 'canceled')"));
        // What failures activated, working again ended.
        Assert.NotEqual("true", await counter.World.ScalarAsync<string>("SELECT coalesce(max(value ->> 'active'), 'false') FROM settings WHERE key = 'payment_fallback_mode'"));
    }
}
