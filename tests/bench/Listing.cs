using System.Globalization;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>
/// The jobs that read Stripe's long lists, all of it known here already: what counts is how many of the allowed requests
/// they really make, and that memory does not grow with the pages.
/// </summary>
internal static class Listing
{
    private const int Rate = 25;
    private const int LatencyMs = 100;
    private const double LeastShare = 0.9;
    private const double MostMiB = 96;

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, int objects)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return
        [
            .. await OfAsync(ground, "subscription-sync", objects, Subscriptions(objects, now), stripe => stripe.SeedAsync(new
            {
                customers = new[] { new { id = "cus_1" } },
                prices = new[] { new { id = "price_1", product_data = new { name = "Club" }, unit_amount = 1500, interval = "month", lookup_key = "monthly" } },
                subscriptions = new[]
                {
                    new
                    {
                        id = "sub_{n}", customer = "cus_1", price = "price_1", current_period_end = now + 86_400, events = false,
                        created = now - (900L * objects), created_step = 900, repeat = objects,
                    },
                },
            })),
            .. await OfAsync(ground, "match-successful-payments", objects, Payments(objects), stripe => stripe.SeedAsync(new
            {
                payment_intents = new[]
                {
                    new { id = "pi_{n}", amount = 1500, status = "succeeded", events = false, created = now - objects, created_step = 1, repeat = objects },
                },
            })),
        ];
    }

    private static async Task<IReadOnlyList<Result>> OfAsync(Ground ground, string job, int objects, string fill, Func<FakeStripeProcess, Task> seed)
    {
        Progress.Say($"{job}: {objects:N0} objects are made");
        var database = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(database, fill);
        await ground.FillAsync(database, "VACUUM ANALYZE");
        // A tenth above what the job may ask: whoever bursts is refused.
        await using var stripe = await FakeStripeProcess.StartAsync("--rate", Text((Rate * 11 / 10) + 1), "--latency", Text(LatencyMs));
        await seed(stripe);
        Progress.Say($"{job}: {objects / 100} pages");
        var run = Measured.Run(JobProcess.Executable(job), ["--output", "json"], ground.EnvironmentFor(database, stripe.Base, Rate)).Succeeding(job);
        var seen = System.Text.Json.JsonDocument.Parse(run.Stdout).RootElement.GetProperty("counters").GetProperty("seen").GetInt64();
        var requests = (await stripe.RequestsAsync()).Recent;
        await ground.Server.DropDatabaseAsync(database);
        return
        [
            Result.AtLeast(job, "objects seen", seen, job == "subscription-sync" ? objects : objects * 0.99, ""),
            Result.AtLeast(job, "sustained requests", Charging.Sustained(requests), LeastShare * Rate, "/s", FormattableString.Invariant($" ({requests.Count} requests in {run.Wall.TotalSeconds:0.0} s)")),
            Result.AtMost(job, "refused with 429", requests.Count(r => r.Status == 429), 0, ""),
            Result.Yardstick(job, "CPU", FormattableString.Invariant($"{run.Cpu.TotalSeconds:0.0} s")),
            Result.AtMost(job, FormattableString.Invariant($"peak memory, {objects:N0} objects"), run.PeakMiB, MostMiB, "MiB"),
        ];
    }

    private static string Subscriptions(int objects, long now) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1500);
        INSERT INTO users (email, provider_customer_id) VALUES ('u@example.test', 'cus_1');
        INSERT INTO subscriptions (user_id, plan_id, status, ended_at, provider_subscription_id)
        SELECT 1, 1, 'active', to_timestamp({now + 86_400}), 'sub_' || n FROM generate_series(1, {objects}) AS n
        """);

    private static string Payments(int objects) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO users (email) VALUES ('u@example.test');
        INSERT INTO payments (user_id, amount_minor, status, provider, provider_payment_id)
        SELECT 1, 1500, 'succeeded', 'stripe', 'pi_' || n FROM generate_series(1, {objects}) AS n;
        INSERT INTO job_cursors (job, name, value) VALUES ('match-successful-payments', 'until', (now() - interval '{objects} seconds')::text)
        """);

    private static string Text(int n) => n.ToString(CultureInfo.InvariantCulture);
}
