using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Runs;

/// <summary>A migrated database that a whole class of tests starts jobs against; its tests leave no rows that matter.</summary>
public sealed class SharedWorld(PostgresFixture fixture) : IAsyncLifetime
{
    public JobWorld World { get; private set; } = null!;

    public async ValueTask InitializeAsync() => World = await fixture.WorldAsync();

    public ValueTask DisposeAsync() => World.DisposeAsync();

    /// <summary>The world's environment with some variables changed (null: unset).</summary>
    public Dictionary<string, string?> With(params (string Name, string? Value)[] changes) => World.EnvironmentWith(changes);
}

/// <summary>What an operator must find after any mistake of theirs.</summary>
internal static class Mistake
{
    private static readonly string[] Members =
        ["job", "run_id", "status", "as_of", "dry_run", "shard", "started_at", "duration_ms", "counters", "items", "error"];

    public static async Task<string> SentenceAsync(string job, Dictionary<string, string?> environment, params string[] args)
    {
        using var process = JobInProcess.Start(job, environment, args);
        return OneSentence(job, await process.EndAsync(TimeSpan.FromSeconds(60)), environment);
    }

    /// <summary>Exit code 1 and one sentence, the same in both forms of output.</summary>
    public static async Task<string> InBothFormsAsync(string job, Dictionary<string, string?> environment, params string[] args)
    {
        using var process = JobInProcess.Start(job, environment, ["--output", "json", .. args]);
        var result = await process.EndAsync(TimeSpan.FromSeconds(60));
        var sentence = OneSentence(job, result, environment);
        var json = OneObject(result);
        Assert.Equal("failed", json.GetProperty("status").GetString());
        Assert.Equal(job, json.GetProperty("job").GetString());
        Assert.Equal(sentence, json.GetProperty("error").GetString());
        Assert.Equal(sentence, await SentenceAsync(job, environment, args));
        return sentence;
    }

    /// <returns>The one sentence on stderr, which is a plain line before the log is set up and a line of the log afterwards.</returns>
    public static string OneSentence(string job, JobResult result, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        Assert.True(result.ExitCode == 1, result.ToString());
        NothingToHide(result, environment);
        var line = Assert.Single(result.Stderr.TrimEnd('\n').Split('\n'));
        if (line.StartsWith('{'))
        {
            var message = JsonDocument.Parse(line).RootElement.GetProperty("message").GetString()!;
            Assert.StartsWith("failed: ", message, StringComparison.Ordinal);
            return message["failed: ".Length..];
        }

        Assert.StartsWith(job + ": ", line, StringComparison.Ordinal);
        return line[(job.Length + 2)..];
    }

    /// <summary>The one error in a log that may hold warnings about what was tried before.</summary>
    public static string OneSentenceAmongWarnings(JobResult result, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        Assert.True(result.ExitCode == 1, result.ToString());
        NothingToHide(result, environment);
        var errors = result.Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(log => log.GetProperty("level").GetString() == "error");
        return Assert.Single(errors).GetProperty("message").GetString()!["failed: ".Length..];
    }

    /// <summary>No stack trace and no secret, in neither stream.</summary>
    public static void NothingToHide(JobResult result, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        var all = result.Stdout + result.Stderr;
        Assert.DoesNotContain("   at ", all, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled", all, StringComparison.Ordinal);
        NoSecret(all, environment);
    }

    public static void NoSecret(string text, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        string[] secrets =
        [
            PostgresFixture.JobsPassword, Uri.EscapeDataString(PostgresFixture.JobsPassword),
            .. environment.Where(v => v.Key == "STRIPE_SECRET_KEY" && v.Value?.Length > 8 && !IsAnExample(v.Value)).Select(v => v.Value!),
        ];
        foreach (var secret in secrets)
        {
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
        }
    }

    // An option's help shows a time that looks like it.
    private static bool IsAnExample(string value) => DateTimeOffset.TryParse(value, CultureInfo.InvariantCulture, out _);

    /// <summary>Exactly one JSON object on one line, with the members that were promised and no other.</summary>
    public static JsonElement OneObject(JobResult result)
    {
        Assert.True(result.Stdout.EndsWith('\n') && result.Stdout.Count(c => c == '\n') == 1, result.ToString());
        var json = JsonDocument.Parse(result.Stdout).RootElement;
        var members = json.EnumerateObject().Select(m => m.Name).ToList();
        Assert.Empty(members.Except(Members));
        Assert.Empty(Members.Except(["items", "error"]).Except(members));
        Assert.Equal(members.Count, members.Distinct().Count());
        return json;
    }
}
