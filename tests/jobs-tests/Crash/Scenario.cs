using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

/// <summary>One job on one small world, and what it does there when nothing goes wrong.</summary>
/// <param name="Name">For the test's name and the failure messages.</param>
/// <param name="Job">The job under test.</param>
/// <param name="Outcome">Counters of an undisturbed run: proof that the seed holds what the scenario is about.</param>
/// <param name="Seed">Everything before the run. The same every time, ids included.</param>
public sealed record Scenario(string Name, string Job, (string Counter, long Value)[] Outcome, Func<JobWorld, Task> Seed)
{
    public static readonly DateTime Now = new(2026, 11, 20, 5, 0, 0, DateTimeKind.Utc);

    public string[] Args { get; init; } = ["--as-of", "2026-11-20T05:00:00Z"];

    /// <summary>Jobs that find out what the job itself cannot: Stripe may answer 500 to the same key for ever.</summary>
    public string[] Finders { get; init; } = [];

    /// <summary>What must hold in the end besides what the rows show.</summary>
    public Func<JobWorld, Task>? Check { get; init; }

    public override string ToString() => Name;
}
