using System.Globalization;

namespace Jobs.Tests.Proof.Model;

internal enum What
{
    /// <summary>A run from its start to its end.</summary>
    Run,

    /// <summary>A run that is killed at a call of the provider.</summary>
    RunKilled,

    /// <summary>A run that stands still at a call of the provider while other things happen.</summary>
    RunHeld,

    /// <summary>The connection is cut at the charge; the run sends it again.</summary>
    RunCutOff,

    /// <summary>The provider is out of order at the charge; the run gives up.</summary>
    RunRefused,
    Release,
    KillHeld,
    Pay,
    BankSays,
    ChangeMethod,
    PayInApplication,
    Pass,
}

/// <summary>One thing that can be done to the real jobs and the fake provider, and that the model understands as some of its steps.</summary>
/// <param name="On">Subscription, PaymentIntent or hours.</param>
/// <param name="Call">The step of the run at which the provider is called.</param>
/// <param name="After">The call was carried out, its answer did not come.</param>
/// <param name="Outcome">What the bank says to a charge, or of one in processing.</param>
internal readonly record struct Deed(What What, JobKind Job = default, int On = 0, At Call = default, bool After = false, Intention Outcome = default)
{
    public override string ToString() => What switch
    {
        What.Run => $"{Job} runs{(Job == JobKind.Autopayment ? $" on subscription {On}; the bank says {Outcome}" : "")}",
        What.RunKilled or What.RunHeld or What.RunCutOff or What.RunRefused =>
            $"{Job} runs on subscription {On}, {What switch { What.RunKilled => "killed", What.RunHeld => "held", What.RunCutOff => "cut off", _ => "refused" }} {(After ? "after" : "before")} {Call}; the bank says {Outcome}",
        What.Release => $"the held run goes on; the bank says {Outcome}",
        What.KillHeld => "the held run is killed",
        What.Pay => $"the customer pays on PaymentIntent {On}",
        What.BankSays => $"the bank decides on PaymentIntent {On}: {Outcome}",
        What.ChangeMethod => "the customer gives another payment method",
        What.PayInApplication => "the customer pays in an application",
        _ => string.Create(CultureInfo.InvariantCulture, $"{On} h pass"),
    };
}

/// <summary>The model's side of a path: what each deed makes of its world.</summary>
internal sealed record Walk(World World, Run? Held)
{
    private static readonly JobSteps OldestFirst = new(Variant.Right);
    private static readonly JobSteps NewestFirst = new(Variant.Right, newestFirst: true);
    private static readonly At[] Calls = [At.Wire, At.Find, At.Look, At.Cancel];

    /// <returns>Null when the deed cannot be done here.</returns>
    public Walk? After(Deed deed, bool newestFirst = false)
    {
        var steps = newestFirst ? NewestFirst : OldestFirst;
        switch (deed.What)
        {
            case What.Run:
                return this with { World = ToTheEnd(steps, World, JobSteps.Begin(World, deed.Job, deed.On), deed.Outcome) };
            case What.RunKilled or What.RunHeld or What.RunCutOff or What.RunRefused:
                if (Until(steps, World, JobSteps.Begin(World, deed.Job, deed.On), deed) is not { } stopped)
                    return null;
                return deed.What switch
                {
                    What.RunHeld => new(stopped.World, stopped.Run),
                    What.RunCutOff => this with { World = ToTheEnd(steps, stopped.World, stopped.Run with { At = At.Send, Seen = Intention.Nothing, SeenIntent = -1 }, deed.Outcome) },
                    _ => this with { World = stopped.World },
                };
            case What.Release when Held is { } held:
                return new(ToTheEnd(steps, World, held, deed.Outcome), null);
            case What.KillHeld when Held is not null:
                return this with { Held = null };
            case What.Pay when deed.On < World.Intents.Length && World.Intents[deed.On].CanBePaid:
                return this with { World = Provider.Succeed(World, deed.On) };
            case What.BankSays when deed.On < World.Intents.Length && World.Intents[deed.On].Status == Intention.Processing:
                return this with
                {
                    World = deed.Outcome == Intention.Succeeded ? Provider.Succeed(World, deed.On) : Provider.Move(World, deed.On, Intention.Declined),
                };
            case What.ChangeMethod when World.Method == 0:
                return this with { World = World with { Method = 1 } };
            case What.PayInApplication when World.Now < 72 && !World.Intents.Any(i => i.Attempt < 0):
                return this with { World = Moves.PayInApplication(World) };
            case What.Pass when Held is not { At: At.Wire } && Moves.Pass(World, deed.On) is { } later:
                return this with { World = later };
            default:
                return null;
        }
    }

    public World ToTheEnd(JobKind job, int subscription) =>
        ToTheEnd(OldestFirst, World, JobSteps.Begin(World, job, subscription), Intention.Succeeded);

    private static World ToTheEnd(JobSteps steps, World world, Run run, Intention outcome)
    {
        while (run.At != At.Done)
            (world, run) = Step(steps, world, run, outcome);
        return world;
    }

    /// <summary>Up to the first time it calls the provider so: before it does, or having done so.</summary>
    private static (World World, Run Run)? Until(JobSteps steps, World world, Run run, Deed deed)
    {
        while (run.At != At.Done)
        {
            var here = CallOf(run) == deed.Call;
            if (here && !deed.After)
                return (world, run);
            (world, run) = Step(steps, world, run, deed.Outcome);
            if (here)
                return (world, run);
        }

        return null;
    }

    private static (World, Run) Step(JobSteps steps, World world, Run run, Intention outcome)
    {
        if (run.At != At.Wire)
            return steps.Step(world, run);
        var replayed = Provider.Saved(world, run.Key) >= 0;
        if (!replayed)
            world = Provider.Create(world, run.Attempt, run.Key, outcome);
        return (world, Moves.Answer(world, run, replayed));
    }

    /// <summary>The call that a run is about to make; Look for every reading of a PaymentIntent by its id.</summary>
    private static At? CallOf(Run run) => run switch
    {
        { At: At.Answered, AnswerIsReplayed: true } or { At: At.LookAgain or At.Fulfil } => At.Look,
        _ => Calls.Contains(run.At) ? run.At : null,
    };

    /// <summary>Everything that can be done here.</summary>
    public List<Deed> Possible()
    {
        var deeds = new List<Deed>();
        foreach (var job in Enum.GetValues<JobKind>())
        {
            for (var s = 0; s < (job == JobKind.Autopayment ? World.Subscriptions.Length : 1); s++)
            {
                foreach (var outcome in job == JobKind.Autopayment ? Provider.Outcomes : [Intention.Succeeded])
                {
                    deeds.Add(new(What.Run, job, s, Outcome: outcome));
                    foreach (var call in Calls)
                    {
                        foreach (var after in new[] { false, true })
                        {
                            deeds.Add(new(What.RunKilled, job, s, call, after, outcome));
                            deeds.Add(new(What.RunHeld, job, s, call, after, outcome));
                            deeds.Add(new(What.RunCutOff, job, s, call, after, outcome));
                            deeds.Add(new(What.RunRefused, job, s, call, after, outcome));
                        }
                    }
                }
            }
        }

        foreach (var outcome in Provider.Outcomes)
            deeds.Add(new(What.Release, Outcome: outcome));
        deeds.Add(new(What.KillHeld));
        for (var i = 0; i < World.Intents.Length; i++)
            deeds.AddRange([new(What.Pay, On: i), new(What.BankSays, On: i, Outcome: Intention.Succeeded), new(What.BankSays, On: i, Outcome: Intention.Declined)]);
        deeds.AddRange([new(What.ChangeMethod), new(What.PayInApplication)]);
        foreach (var hours in new[] { 1, 24, 26, 192 })
            deeds.Add(new(What.Pass, On: hours));
        return [.. deeds.Where(deed => CanBeDone(deed) && After(deed) is not null)];
    }

    /// <summary>Where the fake provider, or one process beside another, would do something else than is meant.</summary>
    private bool CanBeDone(Deed deed)
    {
        // Another run with the same key is told that the key is in use, and waits for it.
        if (Held is { Job: JobKind.Autopayment, At: At.Wire or At.Answered } && deed is { Job: JobKind.Autopayment, What: What.Run or What.RunKilled or What.RunCutOff or What.RunRefused })
            return false;
        // The plan is yearly: not so far that the next year begins.
        if (deed.What == What.Pass && World.Now + deed.On > 600)
            return false;
        return deed.What switch
        {
            What.RunHeld => Held is null && (deed.Job == JobKind.Autopayment || (World.Subscriptions.Length == 1 && deed.Job != JobKind.MatchSuccessful)),
            // That one reads a success and books it in one step of the model.
            What.RunKilled when deed.Job == JobKind.MatchSuccessful => Held is null && !deed.After,
            What.RunKilled => Held is null && (deed.Job == JobKind.Autopayment || World.Subscriptions.Length == 1),
            What.RunCutOff => deed is { Job: JobKind.Autopayment, Call: At.Wire },
            What.RunRefused => deed is { Job: JobKind.Autopayment, Call: At.Wire, After: false },
            _ => true,
        };
    }

    /// <summary>A path of so many deeds: mostly of those that change something, and each kind is chosen as readily as any other.</summary>
    public static List<Deed> Path(int seed, int subscriptions, Deed? first, int length)
    {
        var random = new Random(seed);
        var walk = new Walk(World.Of(subscriptions), null);
        var path = new List<Deed>();
        while (path.Count < length || walk.Held is not null)
        {
            var deed = path.Count == 0 && first is { } given ? given
                : path.Count >= length ? new Deed(What.Release, Outcome: Intention.Succeeded)
                : Pick(random, Pick(random, walk.Worthwhile(random).GroupBy(deed => (deed.What, deed.Job))));
            path.Add(deed);
            walk = walk.After(deed)!;
        }

        return path;
    }

#pragma warning disable CA5394 // A path, not a secret.
    private List<Deed> Worthwhile(Random random)
    {
        var possible = Possible();
        var now = World.Print();
        var worthwhile = possible.Where(deed => deed.What is What.RunHeld or What.Release || After(deed)!.World.Print() != now).ToList();
        return worthwhile.Count == 0 || random.Next(6) == 0 ? possible : worthwhile;
    }

    private static T Pick<T>(Random random, IEnumerable<T> of)
    {
        var list = of.ToList();
        return list[random.Next(list.Count)];
    }
#pragma warning restore CA5394

    /// <summary>What of the world can be seen in the database and at the provider, as text.</summary>
    public string Picture()
    {
        var lines = new List<string>();
        for (var s = 0; s < World.Subscriptions.Length; s++)
        {
            var it = World.Subscriptions[s];
            lines.Add(SubscriptionLine(s, it.Extensions, it.PastDue, it.Retry == 0 ? "none" : it.Retry == Rules.Never ? "never" : string.Create(CultureInfo.InvariantCulture, $"{it.Retry} h")));
        }

        lines.AddRange(World.Attempts.Select((a, i) => AttemptLine(i, a.Subscription, a.Status.ToString(), a.Intent, a.Ended, a.Authentication, a.Period)));
        lines.AddRange(World.Intents.Select((it, i) => IntentLine(i, it.Status.ToString(), it.Attempt, it.Parked ? "duplicate" : "no")));
        lines.Add(string.Create(CultureInfo.InvariantCulture, $"{World.Intents.Count(i => i.Status == Intention.Succeeded)} charges in the ledger"));
        return string.Join('\n', lines);
    }

    public static string SubscriptionLine(int s, int extensions, bool pastDue, string retry) => string.Create(
        CultureInfo.InvariantCulture, $"subscription {s}: extended {extensions} times, {(pastDue ? "past due" : "active")}, next attempt {retry}");

    public static string AttemptLine(int i, int subscription, string status, int intent, bool ended, bool authentication, int period) => string.Create(
        CultureInfo.InvariantCulture,
        $"payment {i} of subscription {subscription}: {status}, PaymentIntent {(intent < 0 ? "unknown" : intent)}{(ended ? ", over" : "")}{(authentication ? ", authentication required" : "")}, period {period}");

    public static string IntentLine(int i, string status, int attempt, string parked) => string.Create(
        CultureInfo.InvariantCulture, $"PaymentIntent {i} of {(attempt < 0 ? "an application" : $"payment {attempt}")}: {status}, parked: {parked}");
}
