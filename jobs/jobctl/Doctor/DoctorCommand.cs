using Jobs.Acting;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Runs;
using Spectre.Console;

namespace Jobs.Doctor;

/// <summary>
/// Looks at everything that the jobs depend on, and at the promises that the data must keep: a line each, and what to do. With --fix it
/// repairs what certainly is safe to repair, under the locks the jobs use; everything else it leaves to people.
/// </summary>
internal static class DoctorCommand
{
    private static readonly JobOption<bool> Fix = new(
        "--fix", "", "Repair what is safe to repair: stock counters, leases and runs of the dead, successes that were never booked.", OptionValue.Flag, false, "JOBS_DOCTOR_FIX");

    private static readonly JobOption<bool> Offline = new(
        "--offline", "", "Ask no provider and no mail server; the database alone.", OptionValue.Flag, false, "JOBS_DOCTOR_OFFLINE");

    private static readonly JobOption<TimeSpan?> Since = new(
        "--since", "duration", "How far back payments are looked at. Default: 90d.", OptionValue.Duration, TimeSpan.FromDays(90), "JOBS_DOCTOR_SINCE");

    public static readonly ToolCommand Command = new(
        "doctor",
        "Checks the database, the settings, the providers and the data, and says what to do; exit 1 if anything is wrong.",
        [Fix, Offline, Since, Act.Actor, Act.DryRun],
        RunAsync);

    private static async Task RunAsync(ToolRun run)
    {
        var findings = new List<Finding>();
        var database = new DatabaseChecks(run);
        var reached = await Guard.AllAsync(run, findings, database.Reach);
        await Guard.AllAsync(run, findings, SettingChecks.All(run));
        if (reached)
        {
            await Guard.AllAsync(run, findings, database.All());
        }
        else
        {
            findings.Add(Finding.Skipped("data", "not looked at: the database cannot be used"));
        }

        if (run.Get(Offline))
        {
            findings.Add(Finding.Skipped("providers", "not asked: --offline"));
        }
        else
        {
            await Guard.AllAsync(run, findings, new ProviderChecks(run, database).All());
        }

        if (reached && database.IsMigrated)
        {
            await LookAtDataAsync(run, findings);
        }

        await PrintAsync(run, findings);
        run.ExitCode = findings.Exists(finding => finding.Health == Health.Wrong) ? 1 : 0;
    }

    private static async Task LookAtDataAsync(ToolRun run, List<Finding> findings)
    {
        var mends = run.Get(Fix) && !run.Get(Act.DryRun);
        await using var services = await run.ActAsync(Act.ActorOf(run), dryRun: !mends);
        var repairs = mends ? new Repairs(run, services) : null;
        await Guard.AllAsync(run, findings, new RunChecks(services.Db, repairs).All());
        await Guard.AllAsync(run, findings, new MoneyChecks(run, services.Db, repairs, run.Get(Since)!.Value).All());
        if (run.Get(Fix) && !mends)
        {
            findings.Add(Finding.Skipped("fix", "nothing was repaired: --dry-run"));
        }
    }

    private static async Task PrintAsync(ToolRun run, List<Finding> findings)
    {
        var worst = findings.Exists(f => f.Health == Health.Wrong) ? "wrong" : findings.Exists(f => f.Health == Health.Warning) ? "warning" : "ok";
        if (run.Output == OutputFormat.Json)
        {
            await Answer.WriteAsync(run, json =>
            {
                JsonText.Write(json, "command", "doctor");
                JsonText.Write(json, "status", worst);
                json.WriteStartArray("checks");
                foreach (var finding in findings)
                {
                    json.WriteStartObject();
                    JsonText.Write(json, "check", finding.Check);
                    JsonText.Write(json, "health", finding.Health.ToString().ToLowerInvariant());
                    JsonText.Write(json, "says", finding.Says);
                    JsonText.Write(json, "do", finding.Do);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            });
            return;
        }

        var console = Paper.Open(run);
        foreach (var finding in findings)
        {
            var (mark, colour) = finding.Health switch
            {
                Health.Ok => ("ok     ", Color.Green),
                Health.Fixed => ("fixed  ", Color.Green),
                Health.Skipped => ("-      ", Color.Grey),
                Health.Warning => ("warning", Color.Yellow),
                _ => ("WRONG  ", Color.Red),
            };
            console.Write(new Text($"{mark} ", new Style(colour)));
            console.Write(new Text($"{finding.Check}: {Words.Clean(finding.Says)}\n"));
            if (finding.Do is { } remedy)
            {
                console.Write(new Text($"          do: {Words.Clean(remedy)}\n", new Style(decoration: Decoration.Dim)));
            }
        }

        var counted = findings.GroupBy(f => f.Health).OrderByDescending(g => g.Key).Select(g => $"{g.Count()} {g.Key.ToString().ToLowerInvariant()}");
        await run.Context.Output.WriteLineAsync($"{findings.Count} checks: {string.Join(", ", counted)}");
    }
}
