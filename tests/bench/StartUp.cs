using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>Every job with nothing to do, lease and ledger included, beside psql asking for a constant.</summary>
internal static class StartUp
{
    private const int WarmUps = 3;
    private const int Runs = 15;
    private const double MostMilliseconds = 150;
    private const double MostMiB = 64;

    private static readonly string[] Jobs =
    [
        "autopayment", "expire-subscriptions", "expire-payments", "match-pending-payments", "match-successful-payments", "subscription-sync",
        "send-notifications", "renewal-reminder", "daily-stats", "cleanup", "process-payment-queue",
    ];

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground)
    {
        var database = await ground.Server.CreateDatabaseAsync(ground.Template);
        // Some always ask the provider: here at its fastest.
        await using var stripe = await FakeStripeProcess.StartAsync();
        var environment = ground.EnvironmentFor(database, stripe.Base, requestsPerSecond: 500);
        environment["MAIL_FROM"] = "bench@example.test";
        environment["SMTP_URL"] = "smtp://127.0.0.1:1";
        (await SumUpMerchant.CreateAsync()).OpenTo(environment);
        var results = new List<Result>();
        // The yardstick in the same minute: how fast anything starts and connects on this machine now.
        var psql = Repeat("psql", () => Measured.Run(ground.Psql, ["-XqAtc", "select 1", ground.UrlFor(database)], []));
        results.Add(Result.Yardstick("startup", "psql -c 'select 1'", FormattableString.Invariant($"{Wall(psql):0} ms, {Cpu(psql):0} ms CPU, {Peak(psql):0} MiB")));
        foreach (var job in Jobs)
        {
            var program = JobProcess.Executable(job);
            var runs = Repeat(job, () => Measured.Run(program, [], environment));
            results.Add(Result.AtMost("startup", job, Wall(runs), MostMilliseconds, "ms", FormattableString.Invariant($" ({Cpu(runs):0} ms CPU)")));
            results.Add(Result.AtMost("startup", job, Peak(runs), MostMiB, "MiB"));
        }

        await ground.Server.DropDatabaseAsync(database);
        return results;
    }

    private static List<Measured> Repeat(string what, Func<Measured> run)
    {
        Progress.Say($"startup: {what}");
        for (var i = 0; i < WarmUps; i++)
            run();
        return [.. Enumerable.Range(0, Runs).Select(_ => run().Succeeding(what))];
    }

    private static double Wall(List<Measured> runs) => Result.Median(runs.Select(r => r.Wall.TotalMilliseconds));

    private static double Cpu(List<Measured> runs) => Result.Median(runs.Select(r => r.Cpu.TotalMilliseconds));

    private static double Peak(List<Measured> runs) => Result.Median(runs.Select(r => r.PeakMiB));
}
