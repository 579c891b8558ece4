using System.Globalization;
using Jobs.Tests.Proof;

namespace Jobs.Tests.Crash;

/// <summary>A place outside the database at which a run can be killed: before or after a call, within a conversation, at a file.</summary>
/// <param name="Step">What it is about; the same for all that are alike.</param>
/// <param name="Number">Which one, as its <see cref="Outside"/> counts.</param>
/// <param name="Hold">How the run is held there.</param>
/// <param name="Changes">Whether anything outside is different afterwards.</param>
internal sealed record OutsideStep(string Step, int Number, string Hold, bool Changes = true)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Hold} #{Number}: {Step}");

    /// <summary>Before and after each call of a list.</summary>
    public static IReadOnlyList<OutsideStep> OfCalls(IEnumerable<(string Call, bool Changes)> calls) =>
        [.. calls.SelectMany((call, n) => new[] { "hang_before", "hang_after" }.Select(hang => new OutsideStep(call.Call, n + 1, hang, call.Changes)))];

    /// <summary>
    /// `make proof`: all. Else: where money moves, the first and the last time of each; elsewhere each once, and what only
    /// reads not both before and after.
    /// </summary>
    public static IReadOnlyList<OutsideStep> Some(IReadOnlyList<OutsideStep> all, bool money) =>
        Evidence.Full ? all
        : [.. all.GroupBy(step => (step.Step, money || step.Changes ? step.Hold : ""))
            .SelectMany(same => money && same.Count() > 1 ? new[] { same.First(), same.Last() } : [same.First()])];
}

/// <summary>What a job speaks to besides the database, and where it can be held there.</summary>
internal abstract class Outside : IAsyncDisposable
{
    /// <summary>How often it asks differs from run to run.</summary>
    public virtual bool Varies => false;

    /// <summary>Before a run whose steps are to be told.</summary>
    public virtual Task ListenAsync() => Task.CompletedTask;

    /// <summary>Of the run that has just ended, in their order.</summary>
    public abstract Task<IReadOnlyList<OutsideStep>> StepsAsync();

    /// <summary>The next run will be held there.</summary>
    public abstract Task HoldAsync(OutsideStep step);

    /// <summary>Completes when it is.</summary>
    public abstract Task HeldAsync();

    /// <summary>What is held goes on, and nothing more is.</summary>
    public abstract Task LetGoAsync();

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
