using Jobs.Runs;

namespace Jobs.Doctor;

/// <summary>A check by name; what it throws is what it found.</summary>
internal sealed record Check(string Name, Func<CancellationToken, Task<Finding>> LookAsync);

internal static class Guard
{
    /// <summary>What hangs is something wrong, and keeps nobody from the other checks. Those that go through data have time.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <returns>False when one of them is wrong.</returns>
    public static async Task<bool> AllAsync(ToolRun run, List<Finding> findings, IEnumerable<Check> checks)
    {
        var fine = true;
        foreach (var check in checks)
        {
            var finding = await LookAsync(run, check);
            findings.Add(finding);
            fine &= finding.Health != Health.Wrong;
        }

        return fine;
    }

    private static async Task<Finding> LookAsync(ToolRun run, Check check)
    {
        run.Stopping.ThrowIfCancellationRequested();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(run.Stopping);
        limit.CancelAfter(Patience);
        try
        {
            return await check.LookAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!run.Stopping.IsCancellationRequested)
        {
            return Finding.Wrong(check.Name, "no answer in time", "look at its load and the network, then ask again");
        }
        catch (Exception e) when (!run.Stopping.IsCancellationRequested)
        {
            return Finding.Wrong(check.Name, run.Sentence(e), "see what it says");
        }
    }
}
