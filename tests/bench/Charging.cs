using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>autopayment against a provider that answers in 100 ms and allows little more than the job may ask.</summary>
internal static class Charging
{
    private const int LatencyMs = 100;
    private const double LeastShare = 0.95;
    private const double MostCpuMs = 2;
    private const double MostMiB = 128;

    /// <summary>Left out at both ends: filling the pipe and emptying it.</summary>
    private static readonly TimeSpan Ramp = TimeSpan.FromSeconds(2);

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int due, int seconds, IReadOnlyList<int> rates)
    {
        Progress.Say($"autopayment: {due:N0} due subscriptions are made");
        var full = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(full, Fill(due));
        await ground.FillAsync(full, "VACUUM ANALYZE");
        var results = new List<Result>();
        foreach (var rate in rates)
        {
            Progress.Say($"autopayment: {rate} requests a second for {seconds} s");
            results.AddRange(await AtRateAsync(ground, full, due, rate, seconds));
        }

        await ground.Server.DropDatabaseAsync(full);
        return results;
    }

    private static async Task<IReadOnlyList<Result>> AtRateAsync(Ground ground, string full, int due, int rate, int seconds)
    {
        var database = await ground.Server.CreateDatabaseAsync(full);
        // A tenth above what the job may ask: whoever bursts is refused.
        await using var stripe = await FakeStripeProcess.StartAsync("--rate", Text((rate * 11 / 10) + 1), "--latency", Text(LatencyMs));
        await stripe.SeedAsync(new { customers = new[] { new { id = "cus_{n}", payment_methods = new[] { new { id = "pm_{n}" } }, repeat = due } } });
        // One charge alone: starting, planning for all that is due, and warming up are paid once a run, not once a charge.
        var single = Run(ground, database, stripe, rate, charges: 1);
        await stripe.ClearRequestsAsync();
        var run = Run(ground, database, stripe, rate, rate * seconds);
        var charged = JsonDocument.Parse(run.Stdout).RootElement.GetProperty("counters").GetProperty("charged").GetInt64();
        var requests = (await stripe.RequestsAsync()).Recent;
        var refused = requests.Count(r => r.Status == 429);
        await ground.Server.DropDatabaseAsync(database);

        var line = string.Create(CultureInfo.InvariantCulture, $"autopayment {rate}/s");
        return
        [
            Result.AtLeast(line, "sustained requests", Sustained(requests), LeastShare * rate, "/s", string.Create(CultureInfo.InvariantCulture, $" ({charged} charges in {run.Wall.TotalSeconds:0.0} s)")),
            Result.AtMost(line, "refused with 429", refused, 0, ""),
            Result.AtMost(line, "CPU a charge more", (run.Cpu - single.Cpu).TotalMilliseconds / (charged - 1), MostCpuMs, "ms"),
            Result.Yardstick(line, "a run of one charge", FormattableString.Invariant($"{single.Wall.TotalSeconds:0.0} s, {single.Cpu.TotalMilliseconds:0} ms CPU, {due:N0} due")),
            Result.AtMost(line, string.Create(CultureInfo.InvariantCulture, $"peak memory, {due:N0} due"), run.PeakMiB, MostMiB, "MiB"),
        ];
    }

    private static Measured Run(Ground ground, string database, FakeStripeProcess stripe, int rate, int charges) =>
        Measured.Run(
            JobProcess.Executable("autopayment"), ["--output", "json", "--limit", Text(charges), "--max-charges", Text(charges)],
            ground.EnvironmentFor(database, stripe.Base, rate)).Succeeding("autopayment");

    /// <summary>Requests a second, from when the pipe is full until it empties.</summary>
    public static double Sustained(IReadOnlyList<StripeRequest> requests)
    {
        var (from, to) = (requests.Min(r => r.At) + Ramp, requests.Max(r => r.At) - Ramp);
        return requests.Count(r => r.At >= from && r.At < to) / (to - from).TotalSeconds;
    }

    private static string Fill(int due) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1500);
        INSERT INTO users (email, provider_customer_id, default_payment_method_id)
        SELECT 'u' || n || '@example.test', 'cus_' || n, 'pm_' || n FROM generate_series(1, {due}) AS n;
        INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
        SELECT n, 1, 'active', now() - interval '32 days', now() - interval '30 hours' + n * interval '1 millisecond', true
        FROM generate_series(1, {due}) AS n
        """);

    private static string Text(int n) => n.ToString(CultureInfo.InvariantCulture);
}
