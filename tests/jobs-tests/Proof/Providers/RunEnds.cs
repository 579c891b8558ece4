using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Proof.Providers;

/// <summary>How a run ends whatever a provider does: said in a sentence, and nothing given away.</summary>
internal static class RunEnds
{
    /// <summary>Longer than any call is tried again and again.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);

    public static void InASentence(JobResult run, params string[] secrets)
    {
        Assert.True(run.ExitCode is 0 or 1, run.ToString());
        var status = run.Json.GetProperty("status").GetString();
        Assert.True(run.ExitCode == 0 ? status == "succeeded" : status is "failed" or "interrupted", run.ToString());
        var all = run.Stdout + run.Stderr;
        Assert.False(all.Contains("   at ", StringComparison.Ordinal), $"a stack trace: {run}");
        if (run.ExitCode == 1)
        {
            Assert.True(run.Json.TryGetProperty("error", out var error) && error.ValueKind == JsonValueKind.String, $"no error is named: {run}");
            Assert.DoesNotContain('\n', error.GetString()!);
        }

        Assert.All(secrets.Append(PostgresFixture.JobsPassword), secret => Assert.DoesNotContain(secret, all, StringComparison.Ordinal));
    }

    /// <summary>
    /// A part of all pairs, the same each time, that holds every trouble and every place at least once; in `make proof` several troubles at
    /// each place.
    /// </summary>
    /// <param name="each">So many then.</param>
    public static IEnumerable<(int Place, T Trouble)> Pairs<T>(int places, IReadOnlyList<T> troubles, int shift = 0, int each = int.MaxValue)
    {
        if (Evidence.Endless || each >= troubles.Count)
            each = troubles.Count;
        each = Math.Max(each, (troubles.Count + places - 1) / places);
        return Evidence.Full
            ? from place in Enumerable.Range(0, places) from n in Enumerable.Range(0, each) select (place + 1, troubles[((place * each) + n + shift) % troubles.Count])
            : from n in Enumerable.Range(0, Math.Max(places, troubles.Count)) select (((n + shift) % places) + 1, troubles[n % troubles.Count]);
    }
}
