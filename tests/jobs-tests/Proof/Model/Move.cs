using System.Globalization;

namespace Jobs.Tests.Proof.Model;

internal enum Act
{
    /// <summary>A run is started and reads what there is to do.</summary>
    Start,

    /// <summary>It takes its next step.</summary>
    Step,

    /// <summary>The provider carries out its request.</summary>
    Execute,

    /// <summary>The request or its reply is lost; the run sends it again with the same key.</summary>
    Lose,
    Die,

    /// <summary>The provider carries out the request of a dead run.</summary>
    ExecuteOrphan,
    Pay,
    BankSays,
    ChangeMethod,

    /// <summary>The customer pays the first period in an application.</summary>
    PayInApplication,
    Pass,
}

/// <param name="On">A run, a PaymentIntent or a subscription; hours when time passes.</param>
internal readonly record struct Move(Act Act, int On = 0, JobKind Job = default, Intention Outcome = default)
{
    /// <summary>A sentence for the story.</summary>
    public string Tell(World before)
    {
        var run = On < before.Runs.Length ? before.Runs[On] : default;
        var name = string.Create(CultureInfo.InvariantCulture, $"{run.Job} (started at {run.StartedAt} h)");
        return Act switch
        {
            Act.Start => $"{Job} starts{(Job == JobKind.Autopayment ? $" on subscription {On}" : "")}",
            Act.Step => $"{name}: {run.At}{(run.Seen == Intention.Nothing ? "" : $", having seen {run.Seen}")}",
            Act.Execute when Outcome == Intention.Nothing => $"the provider replays the saved answer to {name}",
            Act.Execute => $"the provider carries out the request of {name}: {Outcome}",
            Act.Lose => $"{name} gets no answer and sends again",
            Act.Die => $"{name} dies",
            Act.ExecuteOrphan => $"the provider carries out the request of a dead run: {Outcome}",
            Act.Pay => $"the customer pays on PaymentIntent {On}",
            Act.BankSays => $"the bank decides on PaymentIntent {On}: {Outcome}",
            Act.ChangeMethod => "the customer gives another payment method",
            Act.PayInApplication => $"the customer pays subscription {On} in an application",
            _ => $"{On} h pass",
        };
    }
}

/// <summary>How far a model goes.</summary>
internal sealed record Scope(int Subscriptions = 1, int Runs = 2, int Attempts = 3, int ClockSteps = 2)
{
    public int[] Hours { get; init; } = [1, 24, 26, 192];
    public Intention[] Outcomes { get; init; } = Provider.Outcomes;
    public bool Application { get; init; } = true;
}

/// <summary>All that may happen next.</summary>
internal sealed class Moves(Scope scope, Variant variant)
{
    private static readonly JobKind[] Kinds = Enum.GetValues<JobKind>();

    public JobSteps Jobs { get; } = new(variant);

    public IEnumerable<(Move Move, World World)> From(World world)
    {
        if (world.Runs.Length < scope.Runs)
        {
            foreach (var job in Kinds)
            {
                for (var s = 0; s < (job == JobKind.Autopayment ? scope.Subscriptions : 1); s++)
                {
                    if (Jobs.Start(world, job, s) is { } started)
                        yield return (new(Act.Start, s, job), started);
                }
            }
        }

        for (var i = 0; i < world.Runs.Length; i++)
        {
            foreach (var next in OfRun(world, i))
                yield return next;
        }

        for (var i = 0; i < world.Orphans.Length; i++)
        {
            var orphan = world.Orphans[i];
            foreach (var (outcome, after) in Carry(world with { Orphans = world.Orphans.RemoveAt(i) }, orphan.Attempt, orphan.Key))
                yield return (new(Act.ExecuteOrphan, i, Outcome: outcome), after);
        }

        foreach (var next in Outside(world))
            yield return next;
    }

    private IEnumerable<(Move Move, World World)> OfRun(World world, int i)
    {
        var run = world.Runs[i];
        if (run.At == At.Wire)
        {
            foreach (var (outcome, after) in Carry(world, run.Attempt, run.Key))
                yield return (new(Act.Execute, i, Outcome: outcome), after.With(i, Answer(after, run, replayed: outcome == Intention.Nothing)));
        }
        else if (run.At != At.Prepare || world.Attempts.Length < scope.Attempts)
        {
            yield return (new(Act.Step, i), Jobs.Step(world, i));
        }

        if (run.At is At.Wire or At.Answered)
            yield return (new(Act.Lose, i), world.With(i, run with { At = At.Send, Seen = Intention.Nothing, SeenIntent = -1, AnswerIsReplayed = false, RequestedAt = 0 }));
        var without = world.WithRuns(world.Runs.RemoveAt(i));
        yield return (new(Act.Die, i), run.At == At.Wire ? without with { Orphans = [.. without.Orphans, new Orphan(run.Attempt, run.Key, run.RequestedAt)] } : without);
    }

    private IEnumerable<(Intention Outcome, World World)> Carry(World world, int attempt, int key)
    {
        if (Provider.Saved(world, key) >= 0)
        {
            yield return (Intention.Nothing, world);
            yield break;
        }

        foreach (var outcome in scope.Outcomes)
            yield return (outcome, Provider.Create(world, attempt, key, outcome));
    }

    public static Run Answer(World world, Run run, bool replayed)
    {
        var intent = Provider.Saved(world, run.Key);
        return run with { At = At.Answered, SeenIntent = intent, Seen = world.Intents[intent].Answer, AnswerIsReplayed = replayed, RequestedAt = 0 };
    }

    private IEnumerable<(Move Move, World World)> Outside(World world)
    {
        for (var i = 0; i < world.Intents.Length; i++)
        {
            if (world.Intents[i].CanBePaid)
                yield return (new(Act.Pay, i), Provider.Succeed(world, i));
            if (world.Intents[i].Status == Intention.Processing)
            {
                yield return (new(Act.BankSays, i, Outcome: Intention.Succeeded), Provider.Succeed(world, i));
                yield return (new(Act.BankSays, i, Outcome: Intention.Declined), Provider.Move(world, i, Intention.Declined));
            }
        }

        if (world.Method == 0 && world.Attempts.Any(a => a.Authentication))
            yield return (new(Act.ChangeMethod), world with { Method = 1 });
        if (scope.Application && world.Now < 72 && !world.Intents.Any(i => i.Attempt < 0))
            yield return (new(Act.PayInApplication), PayInApplication(world));
        if (world.ClockSteps < scope.ClockSteps)
        {
            foreach (var hours in scope.Hours)
            {
                if (Pass(world, hours) is { } later)
                    yield return (new(Act.Pass, hours), later);
            }
        }
    }

    public static World PayInApplication(World world) => world with
    {
        Intents = world.Intents.Add(new Intent(Subscription: 0, Attempt: -1, Key: -1, Intention.Succeeded, Intention.Succeeded, world.Now, world.Now)),
    };

    /// <summary>A request is under way for an hour at most: then it has arrived, or is lost with its connection.</summary>
    public static World? Pass(World world, int hours)
    {
        var late = world.Runs.Any(r => r.At == At.Wire && world.Now + hours - r.RequestedAt > 1);
        return late ? null : world with
        {
            Now = world.Now + hours,
            ClockSteps = world.ClockSteps + 1,
            Orphans = [.. world.Orphans.Where(o => world.Now + hours - o.SentAt <= 1)],
        };
    }
}
