using System.Globalization;
using Jobs.Tests.Rig;

namespace Jobs.Bench;

/// <summary>
/// expire-subscriptions beside the same effect in plain SQL through psql, in Python and in Node: update and audit row, as many a batch, a
/// transaction each, going on from the last key. Each on its own copy of the same database, in turn.
/// </summary>
internal static class Expire
{
    private const double MostRatio = 1.25;
    private const double MostMiB = 96;
    private const string Yardstick = "expire_subscriptions";

    public static async Task<IReadOnlyList<Result>> MeasureAsync(Ground ground, Yardsticks yardsticks, int rows, int rounds)
    {
        Progress.Say($"expire: {rows:N0} subscriptions are made");
        var full = await ground.Server.CreateDatabaseAsync(ground.Template);
        await ground.FillAsync(full, Fill(rows));
        await ground.FillAsync(full, "VACUUM ANALYZE");

        Contestant Of(string name, Func<string, Measured> run) => new(name, () => OnACopyAsync(ground, full, rows, name, run));
        Contestant? In(Language language) => language.WhyNot is null
            ? Of(language.File(Yardstick), copy => language.Run(Yardstick, [], ground.EnvironmentFor(copy)))
            : null;
        var job = Of("expire-subscriptions", copy => Measured.Run(JobProcess.Executable("expire-subscriptions"), [], ground.EnvironmentFor(copy)));
        var script = Path.Combine(yardsticks.Folder, Yardstick + ".sql");
        var sql = Of("plain SQL through psql", copy => Measured.Run(ground.Psql, ["-Xq", "-v", "ON_ERROR_STOP=1", "-f", script, ground.UrlFor(copy)], []));
        var instead = new Instead(sql, In(yardsticks.Python), In(yardsticks.Node));
        await Contestant.InTurnAsync("expire", [job, .. instead.All], rounds);

        await ground.Server.DropDatabaseAsync(full);
        var line = string.Create(CultureInfo.InvariantCulture, $"expire {rows:N0}");
        double RowsASecond(Contestant one) => rows / one.Wall * 1000;
        return
        [
            .. instead.All.Select(one => Result.Yardstick(line, one.Name, FormattableString.Invariant(
                $"{one.Wall / 1000:0.00} s, {RowsASecond(one):0} rows/s, {one.Cpu / 1000:0.00} s CPU of its own, {one.MostMiB:0} MiB"))),
            .. yardsticks.NotMeasured(line, Yardstick),
            Result.Yardstick(line, "expire-subscriptions", FormattableString.Invariant($"{RowsASecond(job):0} rows/s")) with { Of = instead.Ratios(job, RowsASecond) },
            Result.Yardstick(line, "CPU of its own", FormattableString.Invariant($"{job.Cpu / 1000:0.00} s")) with { Of = instead.Ratios(job, r => r.Cpu) },
            Result.AtMost(line, "time against plain SQL", job.Wall / sql.Wall, MostRatio, "x", FormattableString.Invariant($" ({job.Wall / 1000:0.00} s)")) with
            {
                Of = instead.Ratios(job, r => r.Wall),
            },
            Result.AtMost(line, "peak memory", job.MostMiB, MostMiB, "MiB") with { Of = instead.Ratios(job, r => r.MostMiB) },
        ];
    }

    private static async Task<Measured> OnACopyAsync(Ground ground, string full, int rows, string name, Func<string, Measured> run)
    {
        var copy = await ground.Server.CreateDatabaseAsync(full);
        await ground.FillAsync(copy, "CHECKPOINT");
        var measured = run(copy).Succeeding(name);
        var done = await ground.ScalarAsync<long>(
            copy, "SELECT least((SELECT count(*) FROM subscriptions WHERE status = 'expired'), (SELECT count(*) FROM audit_logs WHERE action = 'subscription.expired'))");
        await ground.Server.DropDatabaseAsync(copy);
        return done == rows ? measured : throw new InvalidOperationException($"{name} expired {done} of {rows}");
    }

    private static string Fill(int rows) => string.Create(CultureInfo.InvariantCulture,
        $"""
        INSERT INTO plans (code, amount_minor) VALUES ('monthly', 1500);
        INSERT INTO users (email) SELECT 'u' || n || '@example.test' FROM generate_series(1, 10000) AS n;
        INSERT INTO subscriptions (user_id, plan_id, status, started_at, ended_at, auto_renew)
        SELECT 1 + n % 10000, 1, CASE WHEN n % 4 = 0 THEN 'past_due' ELSE 'active' END,
               now() - interval '60 days', now() - interval '4 days' - n * interval '1 second', true
        FROM generate_series(1, {rows}) AS n
        """);
}
