using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>
/// autopayment against a provider that answers in 100 ms and allows little more than the job may ask; at the highest rate beside a worker in
/// Python and a job in Node that leave the same rows behind. Each on its own copy of the same database, in turn.
/// </summary>
internal static class Charging
{
    private const int LatencyMs = 100;
    private const double LeastShare = 0.95;
    private const double MostCpuMs = 2;
    private const double MostMiB = 128;
    private const string Yardstick = "autopayment";

    /// <summary>Left out at both ends: filling the pipe and emptying it.</summary>
    private static readonly TimeSpan Ramp = TimeSpan.FromSeconds(2);

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, Yardsticks yardsticks, int due, int seconds, int rounds, IReadOnlyList<int> rates)
    {
        Progress.Say($"autopayment: {due:N0} due subscriptions are made");
        var full = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(full, Fill(due));
        await ground.FillAsync(full, "VACUUM ANALYZE");
        var results = new List<Result>();
        foreach (var rate in rates)
        {
            Progress.Say($"autopayment: {rate} requests a second for {seconds} s");
            var isCompared = rate == rates.Max();
            results.AddRange(await AtRateAsync(ground, yardsticks, full, due, rate, seconds, isCompared ? rounds : 1, isCompared));
        }

        await ground.Server.DropDatabaseAsync(full);
        return results;
    }

    private sealed record Course(Contestant Contestant)
    {
        public List<Measured> Singles { get; } = [];
        public long Charged { get; set; }
        public int Refused { get; set; }
    }

    private static async Task<IReadOnlyList<Result>> AtRateAsync(
        Ground ground, Yardsticks yardsticks, string full, int due, int rate, int seconds, int rounds, bool isCompared)
    {
        var job = Of("autopayment", rate * seconds, Job);
        // One after the other a worker makes no more than the provider answers.
        var python = isCompared ? In(yardsticks.Python, Math.Min(rate, 1000 / LatencyMs) * seconds) : null;
        var node = isCompared ? In(yardsticks.Node, rate * seconds) : null;
        var instead = new Instead(null, python?.Contestant, node?.Contestant);
        var line = string.Create(CultureInfo.InvariantCulture, $"autopayment {rate}/s");
        await Contestant.InTurnAsync(line, [job.Contestant, .. instead.All], rounds);

        var ours = job.Contestant;
        return
        [
            .. new[] { python, node }.OfType<Course>().Select(one => Result.Yardstick(line, one.Contestant.Name, FormattableString.Invariant(
                $"{one.Contestant.Rate:0.0}/s, {one.Refused} refused, {one.Contestant.CpuEach:0.00} ms CPU a charge, {one.Contestant.MostMiB:0} MiB"))),
            .. isCompared ? yardsticks.NotMeasured(line, Yardstick) : [],
            Result.AtLeast(line, "sustained requests", ours.Rate, LeastShare * rate, "/s", string.Create(CultureInfo.InvariantCulture, $" ({job.Charged} charges in {ours.Wall / 1000:0.0} s)")) with
            {
                Of = instead.Ratios(ours, r => r.Rate),
            },
            Result.AtMost(line, "refused with 429", job.Refused, 0, ""),
            Result.AtMost(line, "CPU a charge more", ours.CpuEach, MostCpuMs, "ms") with { Of = instead.Ratios(ours, r => r.CpuEach) },
            Result.Yardstick(line, "a run of one charge", string.Create(CultureInfo.InvariantCulture, $"{Single(job, m => m.Wall):0} ms, {Single(job, m => m.Cpu):0} ms CPU, {due:N0} due")) with
            {
                Of = new(null, Single(job, m => m.Wall) / Single(python, m => m.Wall), Single(job, m => m.Wall) / Single(node, m => m.Wall)),
            },
            Result.AtMost(line, string.Create(CultureInfo.InvariantCulture, $"peak memory, {due:N0} due"), ours.MostMiB, MostMiB, "MiB") with { Of = instead.Ratios(ours, r => r.MostMiB) },
        ];

        Course? In(Language language, int charges) => language.WhyNot is null
            ? Of(language.File(Yardstick), charges, (environment, limit) => language.Run(Yardstick, ["--limit", Text(limit)], environment))
            : null;

        Course Of(string name, int charges, Func<Dictionary<string, string?>, int, Measured> run)
        {
            Course? course = null;
            return course = new Course(new Contestant(name, async () =>
            {
                var (single, many, charged, requests) = await OnACopyAsync(ground, full, due, rate, charges, run);
                course!.Singles.Add(single);
                course.Charged = charged;
                course.Refused += requests.Count(r => r.Status == 429);
                return many with { Rate = Sustained(requests), CpuEach = (many.Cpu - single.Cpu) / (charged - 1) };
            }));
        }
    }

    private static async Task<(Measured Single, Measured Many, long Charged, IReadOnlyList<StripeRequest> Requests)> OnACopyAsync(
        Ground ground, string full, int due, int rate, int charges, Func<Dictionary<string, string?>, int, Measured> run)
    {
        var database = await ground.Server.CreateDatabaseAsync(full);
        // A tenth above what the job may ask: whoever bursts is refused.
        await using var stripe = await FakeStripeProcess.StartAsync("--rate", Text((rate * 11 / 10) + 1), "--latency", Text(LatencyMs));
        await stripe.SeedAsync(new { customers = new[] { new { id = "cus_{n}", payment_methods = new[] { new { id = "pm_{n}" } }, repeat = due } } });
        var environment = ground.EnvironmentFor(database, stripe.Base, rate);
        // One charge alone: starting, planning for all that is due, and warming up are paid once a run, not once a charge.
        var single = run(environment, 1);
        await stripe.ClearRequestsAsync();
        var many = run(environment, charges);
        var charged = Charged(many);
        var booked = await ground.ScalarAsync<long>(database, Booked);
        await ground.Server.DropDatabaseAsync(database);
        return booked == charged + Charged(single)
            ? (single, many, charged, (await stripe.RequestsAsync()).Recent)
            : throw new InvalidOperationException($"{charged + Charged(single)} were charged and {booked} are booked");
    }

    private static Measured Job(Dictionary<string, string?> environment, int charges) =>
        Measured.Run(
            JobProcess.Executable("autopayment"), ["--output", "json", "--limit", Text(charges), "--max-charges", Text(charges)], environment).Succeeding("autopayment");

    private static long Charged(Measured run)
    {
        var result = JsonDocument.Parse(run.Stdout).RootElement;
        return (result.TryGetProperty("counters", out var counters) ? counters : result).GetProperty("charged").GetInt64();
    }

    // The same work whoever does it: -1 when the rows do not agree.
    private const string Booked =
        """
        SELECT CASE WHEN count(DISTINCT n) = 1 THEN min(n) ELSE -1 END
        FROM (VALUES ((SELECT count(*) FROM payments WHERE status = 'succeeded' AND provider_payment_id IS NOT NULL)),
                     ((SELECT count(*) FROM receipts)), ((SELECT last_number FROM receipt_counters)),
                     ((SELECT count(*) FROM notifications WHERE kind = 'payment_receipt')),
                     ((SELECT count(*) FROM subscriptions WHERE ended_at > now() + interval '25 days' AND payment_id IS NOT NULL)),
                     ((SELECT count(*) FROM audit_logs) / 3)) AS rows (n)
        """;

    private static double? Single(Course? course, Func<Measured, TimeSpan> figure) =>
        course is null ? null : Result.Median(course.Singles.Select(m => figure(m).TotalMilliseconds));

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
