using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Looking;

/// <summary>Ledgers as weeks of runs leave them, and what the commands that look at them say.</summary>
internal static class LedgerScene
{
    /// <summary>Errors and names are whatever somebody wrote: commands to a terminal, and markup.</summary>
    public const string Hostile = "\e[2Jgone\a\n<img src=x onerror=alert(1)>";

    /// <summary>The ledger began a moment ago, and not when the first of all tests did.</summary>
    public static Task MigratedNowAsync(this JobWorld world) => world.ExecuteAsync("UPDATE job_runs SET started_at = now(), finished_at = now() WHERE job = 'migrate'");

    /// <summary>Every scheduled job succeeded a moment ago, in a ledger that is a month old.</summary>
    public static Task AllWellAsync(this JobWorld world) => world.ExecuteAsync(
        """
        INSERT INTO job_runs (id, job, trigger, status, started_at, finished_at, counters, host, version)
        SELECT gen_random_uuid(), job, 'schedule', 'succeeded', at, at + interval '1500 ms', '{"expired": 7, "held": 0}', 'node-1', '0.1.0'
        FROM unnest(@Jobs) AS j (job), (VALUES (now() - interval '30 days'), (now() - interval '30 seconds')) AS t (at)
        """,
        new { Jobs = Jobs.Runs.Catalogue.Jobs.Where(j => j.Schedule is not null).Select(j => j.Name).ToArray() });

    /// <param name="ago">How long ago it began.</param>
    /// <returns>Its id.</returns>
    public static Task<Guid> RunRowAsync(
        this JobWorld world, string job, string status, TimeSpan ago, string? error = null, string? shard = null, bool partial = false, DateTime? asOf = null, string counters = "{}") =>
        world.ScalarAsync<Guid>(
            """
            INSERT INTO job_runs (id, job, trigger, status, started_at, finished_at, error, shard, partial, as_of, counters)
            VALUES (gen_random_uuid(), @job, 'schedule', @status, now() - @ago, CASE WHEN @status <> 'running' THEN now() - @ago + interval '2 seconds' END,
                    @error, @shard, @partial, @asOf, @counters::jsonb)
            RETURNING id
            """,
            new { job, status, ago, error, shard, partial, asOf, counters });

    public static Task ForgetAsync(this JobWorld world, string job) => world.ExecuteAsync("DELETE FROM job_runs WHERE job = @job", new { job });

    /// <summary>Runs jobctl to its end, in text unless told otherwise.</summary>
    public static async Task<JobResult> LookAsync(this JobWorld world, params string[] args)
    {
        using var process = world.Start("jobctl", args);
        return await process.EndAsync(TimeSpan.FromSeconds(60));
    }

    /// <summary>One object on one line, nothing on stderr, and the exit code as expected.</summary>
    public static async Task<JsonElement> LookAsJsonAsync(this JobWorld world, int exitCode, params string[] args)
    {
        var run = await world.LookAsync([.. args, "--output", "json"]);
        Assert.True(run.ExitCode == exitCode && run.Stderr.Length == 0 && run.Stdout.Count(c => c == '\n') == 1, run.ToString());
        return run.Json;
    }

    public static JsonElement Job(this JsonElement status, string job) =>
        status.GetProperty("jobs").EnumerateArray().Single(j => j.GetProperty("job").GetString() == job);

    public static IEnumerable<string?> Strings(this JsonElement json, string list, string member) =>
        json.GetProperty(list).EnumerateArray().Select(row => row.GetProperty(member).GetString()).ToList();

    public static string? Text(this JsonElement json, string member) => json.GetProperty(member).GetString();

    /// <summary>Nothing of what was read reaches a terminal as a command.</summary>
    public static void Harmless(string text) => Assert.DoesNotContain(text, c => char.IsControl(c) && c != '\n');
}
