using Jobs.Runs;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

/// <summary>One job on one small world, and what it does there when nothing goes wrong.</summary>
/// <param name="Name">For the test's name and the failure messages.</param>
/// <param name="Job">The job under test.</param>
/// <param name="Outcome">Counters of an undisturbed run: proof that the seed holds what the scenario is about.</param>
/// <param name="Seed">
/// Everything before the run, with what the world needs besides PostgreSQL and Stripe (<see cref="JobWorld.With"/>). The same every time, ids included.
/// </param>
public sealed record Scenario(string Name, string Job, (string Counter, long Value)[] Outcome, Func<JobWorld, Task> Seed)
{
    public static readonly DateTime Now = new(2026, 11, 20, 5, 0, 0, DateTimeKind.Utc);

    public string[] Args { get; init; } = ["--as-of", "2026-11-20T05:00:00Z"];

    /// <summary>Jobs that find out what the job itself cannot: Stripe may answer 500 to the same key for ever.</summary>
    public string[] Finders { get; init; } = [];

    /// <summary>What must hold in the end besides what the rows show.</summary>
    public Func<JobWorld, Task>? Check { get; init; }

    /// <summary>Where it can be killed besides at the database. Whoever needs Stripe: at each call of it.</summary>
    internal Func<JobWorld, Outside>? Outside { get; init; } =
        Catalogue.Find(Job).Needs.Contains("STRIPE_SECRET_KEY", StringComparer.Ordinal) ? world => new StripeCalls(world) : null;

    /// <summary>In place of counters: a condition that is false before an undisturbed run and true after it.</summary>
    public string? Done { get; init; }

    /// <summary>A condition: while it holds there is something left to do, and it is run again, as its schedule does.</summary>
    public string? Open { get; init; }

    /// <summary>How often it is run again at least.</summary>
    public int Runs { get; init; } = 1;

    /// <summary>What must be as undisturbed besides the business rows.</summary>
    public Func<JobWorld, Task<string>>? Also { get; init; }

    /// <summary>False when its "now" is the clock's: times are then not compared.</summary>
    public bool FixedClock { get; init; } = true;

    /// <summary>Where the end may be another than undisturbed: what must hold instead, knowing what was done to the run, if it is known.</summary>
    internal Func<JobWorld, Disturbance?, Task>? Judge { get; init; }

    /// <summary>What must hold the moment it is dead, before it is run again.</summary>
    public Func<JobWorld, Task>? Meanwhile { get; init; }

    /// <summary>What steps of the database are called that are as good as each other.</summary>
    public Func<string, string>? Alike { get; init; }

    /// <summary>How often it asks differs from run to run: it waits for others.</summary>
    public bool Varies { get; init; }

    /// <summary>It changes more than rows, or dumps the whole database: its world is its own, before and after.</summary>
    public bool Spoils { get; init; }

    /// <summary>Of the round trips to the database and of two at once another scenario of the job takes care.</summary>
    public bool OnlyOutside { get; init; }

    /// <summary>How many runs at once.</summary>
    public int AtOnce { get; init; } = 2;

    /// <summary>It charges or books what was charged: tried more often than the others in `make proof-sample`, too.</summary>
    internal bool Money => Job is "autopayment" or "match-pending-payments" or "match-successful-payments";

    public override string ToString() => Name;
}

/// <summary>What was done to a run, and where.</summary>
internal sealed record Disturbance(Trouble? Trouble = null, Point? Point = null, OutsideStep? Step = null)
{
    public static readonly Disturbance None = new();
}
