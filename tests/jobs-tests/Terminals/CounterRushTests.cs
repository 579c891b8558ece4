using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Terminals;

/// <summary>
/// A minute of a busy counter on a bad day: ten stations queue payments, three process-payment-queue run at a time and are killed at
/// random, readers are declined at, left, taken by others and go offline, and SumUp loses replies.
/// </summary>
[Trait("Category", "Proof")]
public sealed class CounterRushTests(PostgresFixture fixture)
{
    private static readonly TimeSpan Rush = TimeSpan.FromSeconds(
        int.Parse(Environment.GetEnvironmentVariable("JOBS_RUSH_SECONDS") ?? "60", CultureInfo.InvariantCulture));

    private readonly ConcurrentQueue<string> _violations = new();

    [Fact]
    public async Task Nobody_pays_twice_no_payment_is_lost_and_nothing_is_left_behind()
    {
        await using var counter = await CounterScene.OpenAsync(fixture, "A", "B", "C");
        await counter.Merchant.ConfigureAsync(new { card_wait_ms = 700, valid_ms = 2500, start_window_ms = 1500, status = "all" });
        counter.World.Environment["JOBS_TERMINAL_NOT_PAID_AFTER"] = "3s";
        counter.World.Environment["JOBS_TERMINAL_FAILURES"] = "50";
        counter.World.Environment["JOBS_TERMINAL_WAIT"] = "10s";
        var random = new Random(20261121);
        foreach (var serial in new[] { "A", "B", "C" })
            await counter.Merchant.ScriptAsync(serial, [.. Enumerable.Range(0, 60).Select(_ => Script(random))]);
        foreach (var (kind, times) in new[] { ("drop_after", 5), ("drop_before", 11), ("status_after:503", 17), ("status_before:429", 23), ("truncated_body", 29) })
            for (var nth = times; nth < 200; nth += 31)
                await counter.Merchant.FaultAsync(kind, "/checkout$", "POST", nth: nth);

        using var over = new CancellationTokenSource();
        var listening = new TaskCompletionSource();
        var watching = WatchAsync(counter, listening, over.Token);
        // Who waits is known only from what is heard: nobody may queue before.
        await Task.WhenAny(listening.Task, watching);
        var clock = Stopwatch.StartNew();
        var queued = new ConcurrentBag<long>();
        var stations = Enumerable.Range(0, 10).Select(station => StationAsync(counter, station, clock, queued));
        var kills = 0;
        var runs = Enumerable.Range(0, 3).Select(async run =>
        {
            while (clock.Elapsed < Rush)
            {
                using var process = counter.World.StartPublished("process-payment-queue", "--output", "json");
                var end = process.EndAsync();
                if (await Task.WhenAny(end, Task.Delay(Random.Shared.Next(400, 5000))) != end)
                {
                    process.Kill();
                    Interlocked.Increment(ref kills);
                }

                await end;
                await Task.Delay(200);
            }
        });
        await Task.WhenAll(stations.Concat(runs));
        counter.World.Environment.Remove("JOBS_TERMINAL_WAIT");
        for (var end = DateTime.UtcNow.AddSeconds(90);
             await counter.World.ScalarAsync<long>("SELECT count(*) FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown')") > 0 && DateTime.UtcNow < end;)
        {
            var result = await counter.RunAsync();
            Assert.True(result.ExitCode == 0, result.ToString());
        }

        await over.CancelAsync();
        await watching;
        TestContext.Current.TestOutputHelper?.WriteLine($"{queued.Count} payments, {kills} kills, {(await counter.Merchant.LedgerAsync()).Count} taken, {clock.Elapsed.TotalSeconds:0} s");
        Assert.True(_violations.IsEmpty, string.Join('\n', _violations.Take(10)));
        Assert.True(kills >= Rush.TotalSeconds / 8, $"{kills} kills");
        await counter.SettledAsync();
        Assert.Equal(queued.Count, await counter.World.ScalarAsync<long>("SELECT count(*) FROM payment_queue WHERE status IN ('done', 'failed')"));
        Assert.Equal(0, await counter.World.ScalarAsync<long>(
            "SELECT count(*) FROM (SELECT payment_id FROM terminal_attempts WHERE outcome = 'approved' GROUP BY 1 HAVING count(*) > 1) AS twice"));
    }

    private static object Script(Random random) => random.Next(10) switch
    {
        0 => new { outcome = "decline", start_after_ms = 20, after_ms = random.Next(50, 400) },
        1 => new { outcome = "cancel_key", start_after_ms = 20, after_ms = random.Next(50, 400) },
        2 => new { outcome = "customer_timeout", start_after_ms = 20 },
        3 => new { outcome = "approve", start_after_ms = 20, after_ms = 100, visible_after_ms = random.Next(200, 1500) },
        4 => new { outcome = "approve", start_after_ms = 20, offline_after_ms = 20, after_ms = 150, result_after_ms = 800 },
        _ => new { outcome = "approve", start_after_ms = random.Next(10, 200), after_ms = random.Next(50, 500) },
    };

    private static async Task StationAsync(CounterScene counter, int station, Stopwatch clock, ConcurrentBag<long> queued)
    {
        for (var n = 0; clock.Elapsed < Rush - TimeSpan.FromSeconds(5); n++)
        {
            queued.Add(await counter.QueueAsync($"payer {station} {n}"));
            await Task.Delay(Random.Shared.Next(1500, 6000));
        }
    }

    /// <summary>
    /// Follows the counter's channel, as a station does: in the order of the commits, whoever gets a reader is the first of those that
    /// wait. And looks all the while for what must never be.
    /// </summary>
    private async Task WatchAsync(CounterScene counter, TaskCompletionSource listening, CancellationToken over)
    {
        await using var source = NpgsqlDataSource.Create(counter.World.Server.ConnectionFor(counter.World.Database).ConnectionString + ";Pooling=false");
        await using var connection = await source.OpenConnectionAsync(CancellationToken.None);
        var waiting = new SortedDictionary<(long Position, long Id), bool>();
        connection.Notification += (_, update) =>
        {
            var row = JsonDocument.Parse(update.Payload).RootElement;
            if (row.GetProperty("table").GetString() != "payment_queue")
                return;
            var key = (row.GetProperty("position").GetInt64(), row.GetProperty("id").GetInt64());
            if (row.GetProperty("status").GetString() == "waiting")
            {
                waiting[key] = true;
                return;
            }

            if (row.GetProperty("status").GetString() == "processing" && waiting.Count > 0 && waiting.Keys.First() != key)
                _violations.Enqueue($"{key} went before {waiting.Keys.First()}");
            waiting.Remove(key);
        };
        await using (var listen = new NpgsqlCommand("LISTEN payment_updates", connection))
            await listen.ExecuteNonQueryAsync(CancellationToken.None);
        listening.SetResult();
        while (!over.IsCancellationRequested)
        {
            await connection.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None);
            foreach (var row in await counter.World.QueryAsync(
                """
                SELECT 'a lease of more than 3 minutes: ' || name AS what FROM leases WHERE name LIKE 'payment:%' AND expires_at > clock_timestamp() + interval '3 minutes'
                UNION ALL
                SELECT 'an open attempt whose place is free: ' || a.id FROM terminal_attempts AS a JOIN payment_queue AS q ON q.id = a.queue_id
                WHERE a.settled_at IS NULL AND a.sent_at IS NOT NULL AND q.status NOT IN ('processing', 'unknown')
                UNION ALL
                SELECT 'a reader with two payments: ' || terminal_id FROM payment_queue WHERE status IN ('processing', 'unknown') GROUP BY terminal_id HAVING count(*) > 1
                """))
                _violations.Enqueue((string)row.what);
        }
    }
}
