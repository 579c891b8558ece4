using System.Text;
using System.Text.RegularExpressions;
using Jobs.Runs;
using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;

namespace Jobs.Tests.Proof.Hostile;

/// <summary>Seeded garbage: whatever an operator's shell, secret store or template makes of a value, the answer is a sentence.</summary>
[Trait("Category", "Proof")]
public sealed partial class FuzzTests(SharedWorld shared) : IClassFixture<SharedWorld>
{
    private static readonly int Times = Evidence.Full ? 250 : 10;

    private const string Secret = "hunter2hunter2";

    private static readonly string[] Scraps =
    [
        "postgresql://", "postgres://", "u:", Secret, "@", "127.0.0.1", ":1", "/d", "?", "sslmode=", "require", "&", "=", "%", "%40", "%zz", ";", "Host=",
        "Password=" + Secret, "'", "\"", "\\", " ", "\n", "\t", "host=127.0.0.1 ", "port=1", "[::1]", "é", "\uFEFF", "\u202E", "\U0001F4A9", "--", "-",
        "{{value}}", "${DATABASE_URL}", "null", "true", "0", "-1", "99999999999999999999", "1/2", "2026-11-20T06:00:00Z", "json", "\u001b[31m", "@/etc/hostname",
        "Europe/Paris", "../../etc/localtime", "a", "Timeout=0", "Pooling=false", "target_session_attrs=any", ",", "connect_timeout=1&",
    ];

    private static readonly string[] Options =
        ["--as-of", "--only", "--limit", "--batch-size", "--shard", "--timeout", "--output", "--dry-run", "--items", "--unknown", "--", "-x", "--version=", "--help="];

    private static readonly string[] Variables =
    [
        "JOBS_AS_OF", "JOBS_ONLY", "JOBS_LIMIT", "JOBS_BATCH_SIZE", "JOBS_SHARD", "JOBS_TIMEOUT", "JOBS_OUTPUT", "JOBS_DRY_RUN", "JOBS_ITEMS",
        "JOBS_TIME_ZONE", "LOG_LEVEL", "APP_ENV", "RENEWAL_RETRY_DAYS", "RENEWAL_GRACE_DAYS", "JOB_COMPLETION_INDEX", "JOB_SHARDS", "JOBS_TRIGGER",
        "STRIPE_SECRET_KEY", "STRIPE_API_BASE", "STRIPE_MAX_REQUESTS_PER_SECOND", "JOBS_LIMIT_FILE", "DATABASE_URL_FILE", "SMTP_URL",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_garbage_database_url_is_one_sentence(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < Times; i++)
        {
            var url = Garbage(random, 8);
            // What happens to be a good address of a far host would only be waited for.
            await RunAsync("expire-subscriptions", shared.With(("DATABASE_URL", url)), mayReachFar: true, "--timeout", "1s");
        }

        Evidence.Record("expire-subscriptions", Trouble.HostileInput, Times);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Garbage_options_are_one_sentence(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < Times; i++)
        {
            string[] args = [.. Enumerable.Range(0, random.Next(1, 4)).SelectMany(_ => Argument(random, Options))];
            await RunAsync("expire-subscriptions", shared.World.Environment, mayReachFar: false, args);
        }

        Evidence.Record("expire-subscriptions", Trouble.HostileInput, Times);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Garbage_variables_are_one_sentence(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < Times; i++)
        {
            var changes = Enumerable.Range(0, random.Next(1, 4))
                .Select(_ => (Variables[random.Next(Variables.Length)], (string?)Garbage(random, 3)))
                .ToArray();
            await RunAsync("autopayment", shared.With(changes), mayReachFar: true);
        }

        Evidence.Record("autopayment", Trouble.HostileInput, Times);
    }

    // They write files where they are told, start other jobs, or stay until they are stopped.
    private static readonly string[] LeftOut = ["render", "run", "backfill", "scheduler", "dashboard", "report", "manifest"];

    public static TheoryData<string> Jobs => [.. Catalogue.Jobs.Select(job => job.Name)];

    /// <summary>Every option and variable that the job's own help lists.</summary>
    [Theory]
    [MemberData(nameof(Jobs))]
    public async Task Garbage_in_any_option_or_variable_of_a_job_is_one_sentence_and_writes_nothing(string job)
    {
        var helps = new List<(string[] Command, string Help)> { ([], await HelpAsync(job)) };
        if (job == "jobctl")
        {
            var commands = Command().Matches(helps[0].Help.Split("Options:")[0]).Select(m => m.Groups["name"].Value).Except(LeftOut, StringComparer.Ordinal).ToList();
            Assert.Contains("explain", commands);
            helps.Clear();
            foreach (var command in commands)
                helps.Add(([command], await HelpAsync(job, command)));
        }

        var times = Evidence.Full ? 60 : 2;
        var before = await shared.World.StateAsync();
        await Evidence.EveryAsync(job, Trouble.HostileInput, Enumerable.Range(0, times * Math.Min(helps.Count, 5)), async n =>
        {
            var random = new Random((n * 31) + job.Length);
            var (command, help) = helps[n % helps.Count];
            var options = Option().Matches(help).Select(m => m.Groups["name"].Value).Where(name => !WritesFiles().IsMatch(name)).ToList();
            var variables = Variable().Matches(help).Select(m => m.Groups["name"].Value).Where(name => !WritesFiles().IsMatch(name)).ToList();
            // A mistake that happens to be a valid order is carried out.
            string[] safe = options.Contains("--dry-run", StringComparer.Ordinal) ? ["--dry-run"] : [];
            string[] args = [.. command, .. Enumerable.Range(0, random.Next(0, 4)).SelectMany(_ => Argument(random, options)), .. safe];
            var changes = Enumerable.Range(0, random.Next(1, 4)).Select(_ => variables[random.Next(variables.Count)]).Where(name => name != "JOBS_DRY_RUN")
                .Distinct().Select(name => (name, (string?)Garbage(random, 3))).ToArray();
            await RunAsync(job, shared.With(changes), mayReachFar: true, args);
        });
        Assert.Equal(before, await shared.World.StateAsync());
    }

    private async Task<string> HelpAsync(string job, params string[] command)
    {
        using var process = JobProcess.Start(job, shared.World.Environment, [.. command, "--help"]);
        var result = await process.EndAsync();
        Assert.True(result.ExitCode == 0 && result.Stdout.Contains("Environment:", StringComparison.Ordinal), result.ToString());
        return result.Stdout;
    }

    [GeneratedRegex("^  (?<name>[a-z]+) {2,}", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Command();

    [GeneratedRegex("^  (?<name>--[a-z-]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Option();

    [GeneratedRegex(@"(\[env: |^  )(?<name>[A-Z][A-Z_0-9]+)(\]| )", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Variable();

    [GeneratedRegex("html|file|dir|folder|path|archive|backup|bin|to$", RegexOptions.IgnoreCase, 1000)]
    private static partial Regex WritesFiles();

    private static async Task RunAsync(string job, Dictionary<string, string?> environment, bool mayReachFar, params string[] args)
    {
        using var process = JobProcess.Start(job, environment, args);
        var result = await process.EndAsync(TimeSpan.FromSeconds(mayReachFar ? 60 : 30));
        var what = $"{job} {string.Join(' ', args)}\n{string.Join('\n', environment)}\n{result}";
        Assert.True(result.ExitCode is 0 or 1, what);
        Assert.False((result.Stdout + result.Stderr).Contains("   at ", StringComparison.Ordinal), what);
        Assert.False((result.Stdout + result.Stderr).Contains("Unhandled", StringComparison.Ordinal), what);
        Assert.False(result.Stderr.Contains('\u001b', StringComparison.Ordinal), what);
        var plain = result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries).Count(line => !line.StartsWith('{'));
        Assert.True(plain <= 1, what);
        Assert.True(result.ExitCode == 0 || result.Stderr.Length > 0, what);
        Mistake.NoSecret(result.Stdout + result.Stderr, environment);
        if (environment["DATABASE_URL"]?.Contains(Secret, StringComparison.Ordinal) == true)
        {
            Assert.False((result.Stdout + result.Stderr).Contains(Secret, StringComparison.Ordinal), what);
        }
    }

    private static string[] Argument(Random random, IReadOnlyList<string> options)
    {
        var option = options[random.Next(options.Count)];
        return random.Next(3) switch
        {
            0 => [option],
            1 => [option, Garbage(random, 2)],
            _ => [$"{option}={Garbage(random, 2)}"],
        };
    }

    private static string Garbage(Random random, int scraps)
    {
        var text = new StringBuilder();
        for (var i = random.Next(1, scraps + 1); i > 0; i--)
        {
            text.Append(Scraps[random.Next(Scraps.Length)]);
        }

        return text.ToString();
    }
}
