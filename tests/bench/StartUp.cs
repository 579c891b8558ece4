using Jobs.Runs;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>
/// Every job with nothing to do, lease and ledger included, beside the empty runs of what a user would write instead: psql, and a worker
/// with the provider's client loaded where the job has one.
/// </summary>
internal static class StartUp
{
    private const double MostMilliseconds = 150;
    private const double MostMiB = 64;
    private const double MostSecondsBoxed = 1.5;

    /// <summary>Those whose bare call is no empty run: looking, or what was recorded before.</summary>
    private static readonly Dictionary<string, string[]> Idle = new(StringComparer.Ordinal)
    {
        ["record-payment"] =
            ["--user", "1", "--amount", "12.50", "--currency", "eur", "--method", "cash", "--purpose", "other", "--recorded-by", "2", "--reference", "bench"],
        ["grant-membership"] = ["--user", "1", "--type", "basic", "--recorded-by", "2", "--reference", "bench"],
        ["fallback-mode"] = ["--show"],
        ["backup-database"] = ["--list"],
        ["jobctl"] = ["status"],
    };

    /// <summary>On this machine as it is.</summary>
    public static Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, Yardsticks yardsticks, int rounds) =>
        MeasureAsync(ground, yardsticks, "startup", rounds, warmUps: 3, box: null);

    /// <summary>In what a small container gets.</summary>
    public static async Task<IReadOnlyList<Result>> MeasureBoxedAsync(Ground ground, Yardsticks yardsticks, int rounds)
    {
        const string Line = "startup, 0.1 CPU, 128 MiB";
        var (box, whyNot) = Box.Make();
        using (box)
            return box is null ? [Result.NotMeasured(Line, "every job", whyNot)] : await MeasureAsync(ground, yardsticks, Line, rounds, warmUps: 1, box);
    }

    private static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, Yardsticks yardsticks, string line, int rounds, int warmUps, Box? box)
    {
        var database = await ground.Server.CreateDatabaseAsync(ground.Template);
        // Without an address, so that what is recorded leaves no mail to send.
        await ground.FillAsync(database, "INSERT INTO users (role) VALUES ('member'), ('staff')");
        // Some always ask the provider: here at its fastest.
        await using var stripe = await FakeStripeProcess.StartAsync();
        var backups = Directory.CreateTempSubdirectory("bench-backups");
        var environment = ground.EnvironmentFor(database, stripe.Base, requestsPerSecond: 500);
        environment["MAIL_FROM"] = "bench@example.test";
        environment["SMTP_URL"] = "smtp://127.0.0.1:1";
        environment["BACKUP_URL"] = $"file://{backups.FullName}";
        (await SumUpMerchant.CreateAsync()).OpenTo(environment);

        // How fast anything starts and connects on this machine now.
        var psql = new Contestant("psql -c 'select 1'", () => Measured.Run(ground.Psql, ["-XqAtc", "select 1", ground.UrlFor(database)], [], box).Succeeding("psql"));
        var script = Path.Combine(yardsticks.Folder, "expire_subscriptions.sql");
        var sql = new Contestant("expire_subscriptions.sql", () => Measured.Run(ground.Psql, ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", script, ground.UrlFor(database)], [], box).Succeeding("psql"));
        Contestant? Empty(Language language, string work) =>
            language.WhyNot is null ? new Contestant(language.File(work), () => language.Run(work, [], environment, box)) : null;
        var plain = new Instead(sql, Empty(yardsticks.Python, "expire_subscriptions"), Empty(yardsticks.Node, "expire_subscriptions"));
        var paying = new Instead(null, Empty(yardsticks.Python, "autopayment"), Empty(yardsticks.Node, "autopayment"));
        var jobs = Catalogue.Jobs.Select(job => (Job: job, Idle: new Contestant(Called(job.Name), Job(ground, database, job, environment, box)))).ToList();
        Contestant[] theirs = [psql, .. plain.All, .. paying.All];
        await Contestant.InTurnAsync(line, [.. theirs, .. jobs.Select(j => j.Idle)], rounds, warmUps);

        await ground.Server.DropDatabaseAsync(database);
        backups.Delete(recursive: true);
        return
        [
            .. theirs.Select(one => Result.Yardstick(line, one.Name, FormattableString.Invariant($"{one.Wall:0} ms, {one.Cpu:0} ms CPU, {one.PeakMiB:0} MiB"))),
            .. yardsticks.NotMeasured(line, "expire_subscriptions"),
            .. yardsticks.NotMeasured(line, "autopayment"),
            .. jobs.SelectMany(j => Of(
                line, j.Idle, j.Job.Needs.Contains("STRIPE_SECRET_KEY") ? paying with { Sql = sql } : plain, box is null ? MostMilliseconds : MostSecondsBoxed * 1000)),
        ];
    }

    private static string Called(string job) => Idle.GetValueOrDefault(job, []) switch
    {
        [] => job,
        [var argument] => $"{job} {argument}",
        _ => $"{job} (recorded before)",
    };

    private static Func<Measured> Job(Ground ground, string database, JobDefinition job, Dictionary<string, string?> environment, Box? box)
    {
        var program = JobProcess.Executable(job.Name);
        var arguments = Idle.GetValueOrDefault(job.Name, []);
        Dictionary<string, string?> own = job.Kind == JobKind.Schema ? new(environment) { ["DATABASE_URL"] = ground.Server.UrlFor(database) } : environment;
        return () =>
        {
            var measured = Measured.Run(program, arguments, own, box);
            // The tool says by its exit code, too, that jobs are late which never ran.
            return job.Kind == JobKind.Tool && measured.ExitCode == 1 ? measured : measured.Succeeding(job.Name);
        };
    }

    private static IEnumerable<Result> Of(string line, Contestant job, Instead instead, double mostMilliseconds) =>
    [
        Result.AtMost(line, $"{job.Name}, wall", job.Wall, mostMilliseconds, "ms") with { Of = instead.Ratios(job, r => r.Wall) },
        Result.Yardstick(line, $"{job.Name}, CPU", FormattableString.Invariant($"{job.Cpu:0} ms")) with { Of = instead.Ratios(job, r => r.Cpu) },
        Result.AtMost(line, $"{job.Name}, peak memory", job.PeakMiB, MostMiB, "MiB") with { Of = instead.Ratios(job, r => r.PeakMiB) },
    ];
}
