using System.Text;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>Seeded garbage: whatever an operator's shell, secret store or template makes of a value, the answer is a sentence.</summary>
public sealed class FuzzTests(SharedWorld shared) : IClassFixture<SharedWorld>
{
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
        for (var i = 0; i < 25; i++)
        {
            var url = Garbage(random, 8);
            // What happens to be a good address of a far host would only be waited for.
            await RunAsync("expire-subscriptions", shared.With(("DATABASE_URL", url)), mayReachFar: true, "--timeout", "1s");
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Garbage_options_are_one_sentence(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 25; i++)
        {
            string[] args = [.. Enumerable.Range(0, random.Next(1, 4)).SelectMany(_ => Argument(random))];
            await RunAsync("expire-subscriptions", shared.World.Environment, mayReachFar: false, args);
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Garbage_variables_are_one_sentence(int seed)
    {
        var random = new Random(seed);
        for (var i = 0; i < 25; i++)
        {
            var changes = Enumerable.Range(0, random.Next(1, 4))
                .Select(_ => (Variables[random.Next(Variables.Length)], (string?)Garbage(random, 3)))
                .ToArray();
            await RunAsync(random.Next(2) == 0 ? "expire-subscriptions" : "autopayment", shared.With(changes), mayReachFar: true);
        }
    }

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

    private static string[] Argument(Random random)
    {
        var option = Options[random.Next(Options.Length)];
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
