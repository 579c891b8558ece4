namespace Jobs.Tests.Proof.Model;

/// <summary>
/// What a run does next, for each of the four jobs: one read or change of the provider, or one transaction. Between two steps anything may
/// happen, and the run may have died.
/// </summary>
/// <param name="newestFirst">Of several successes that a run lists; they are booked side by side, so either may be the first.</param>
internal sealed class JobSteps(Variant variant, bool newestFirst = false)
{
    public Rules Rules { get; } = new(variant);

    public static Run Begin(World world, JobKind job, int subscription) =>
        new(job, job == JobKind.MatchSuccessful ? At.List : At.TakeUp, subscription, world.Now);

    /// <summary>Starts a run and lets it read what there is to do.</summary>
    /// <returns>Null when it finds nothing and changes nothing.</returns>
    public World? Start(World world, JobKind job, int subscription)
    {
        var (after, next) = Step(world, Begin(world, job, subscription));
        return next.At == At.Done && after.Print() == world.Print() ? null : after.WithRuns([.. after.Runs, next]);
    }

    public World Step(World world, int index)
    {
        var (after, next) = Step(world, world.Runs[index]);
        return after.With(index, next);
    }

    public (World World, Run Run) Step(World world, Run run) => run.Job switch
    {
        JobKind.Autopayment => Autopayment(world, run),
        JobKind.MatchPending => MatchPending(world, run),
        JobKind.MatchSuccessful => MatchSuccessful(world, run),
        _ => ExpirePayments(world, run),
    };

    private (World, Run) Autopayment(World world, Run run)
    {
        switch (run.At)
        {
            case At.TakeUp:
                return (world, TakeUpUnanswered(world, run));
            case At.ReadDue when !Rules.IsDue(world, run.Subscription, run.StartedAt):
                return (world, run with { At = At.Done });
            case At.ReadDue:
                return (world, NextEarlier(run with { HasMethod = Rules.HasMethod(world, run.Subscription), Earlier = Rules.OpenOnes(world, run.Subscription) }));
            case At.Look:
                var looked = See(world, run, world.Attempts[run.Attempt].Intent);
                return (world, !IsOpen(looked.Seen) ? looked with { At = At.Close } : run.HasMethod ? looked with { At = At.Cancel } : NextEarlier(run));
            case At.Cancel or At.LookAgain:
                return CancelOrLookAgain(world, run);
            case At.Close when run.Seen is Intention.Canceled:
                world = Rules.Close(world, run.Attempt, Row.Canceled, run.SeenIntent);
                return (world, NextEarlier(run));
            case At.Close:
                return (Rules.Settle(world, run.Attempt, run.Seen, run.SeenIntent, run.StartedAt).World, run with { At = At.Done });
            case At.Prepare:
                return Prepare(world, run);
            case At.Send:
                return (world, world.Now >= run.KeyUntil && variant != Variant.ReplayAfterADay
                    ? run with { At = At.Done }
                    : run with { At = At.Wire, RequestedAt = world.Now });
            case At.Answered when run.AnswerIsReplayed:
                // A replay tells what was true then.
                return (world, See(world, run, run.SeenIntent) with { At = At.Settle });
            default:
                if (variant == Variant.RowAfterTheSend && world.Attempts[run.Attempt] is { Status: Row.Unwritten } late)
                    world = world.With(run.Attempt, late with { Status = Row.Pending });
                world = Rules.Settle(world, run.Attempt, run.Seen, run.SeenIntent, run.StartedAt).World;
                return (world, Forget(run) with { At = run.IsReplay ? At.ReadDue : At.Done });
        }
    }

    private Run TakeUpUnanswered(World world, Run run)
    {
        for (var i = 0; i < world.Attempts.Length; i++)
        {
            var row = world.Attempts[i];
            var young = world.Now - row.SentAt < Rules.KeyLife || variant == Variant.ReplayAfterADay;
            if (row.Subscription == run.Subscription && row is { Status: Row.Pending, Intent: -1 } && young && world.Subscriptions[run.Subscription].Extensions == 0)
            {
                return run with
                {
                    At = At.Send,
                    Attempt = i,
                    IsReplay = true,
                    Key = variant == Variant.NewKeyForEachSend ? -2 : row.Key,
                    KeyUntil = row.SentAt + Rules.KeyLife,
                };
            }
        }

        return Autopayment(world, run with { At = At.ReadDue }).Item2;
    }

    /// <summary>They were listed once, when the subscription was read.</summary>
    private static Run NextEarlier(Run run) => run.Earlier == 0
        ? Forget(run) with { At = At.Prepare, HasMethod = run.HasMethod }
        : Forget(run) with
        {
            At = At.Look,
            Attempt = System.Numerics.BitOperations.TrailingZeroCount(run.Earlier),
            Earlier = run.Earlier & (run.Earlier - 1),
            HasMethod = run.HasMethod,
        };

    /// <summary>Under lock, once more whether it is due; then the row with its key is committed, before anything is sent.</summary>
    private (World, Run) Prepare(World world, Run run)
    {
        if (!Rules.IsDue(world, run.Subscription, run.StartedAt) || !Rules.HasMethod(world, run.Subscription) || Rules.OpenOnes(world, run.Subscription) != 0)
            return (world, run with { At = At.Done });
        var row = new Attempt(
            run.Subscription, variant == Variant.RowAfterTheSend ? Row.Unwritten : Row.Pending, world.Keys, world.Method, run.StartedAt, world.Now,
            Rules.PeriodStart(run.StartedAt));
        return (world with { Keys = world.Keys + 1, Attempts = world.Attempts.Add(row) }, Forget(run) with
        {
            At = At.Send,
            Attempt = world.Attempts.Length,
            Key = row.Key,
            KeyUntil = world.Now + Rules.KeyLife,
        });
    }

    private static (World, Run) CancelOrLookAgain(World world, Run run)
    {
        if (run.At == At.LookAgain)
            return (world, See(world, run, run.SeenIntent) with { At = At.Close });
        return world.Intents[run.SeenIntent].CanBePaid
            ? (Provider.Move(world, run.SeenIntent, Intention.Canceled), run with { Seen = Intention.Canceled, At = At.Close })
            : (world, run with { At = At.LookAgain });
    }

    private (World, Run) MatchPending(World world, Run run)
    {
        switch (run.At)
        {
            case At.TakeUp:
                return (world, NextUnresolved(world, run));
            case At.Find:
                return (world, See(world, run, Rules.Find(world, run.Attempt)) with { At = At.Close, SilenceProves = IsOld(world, run) });
            case At.Look:
                return (world, See(world, run, world.Attempts[run.Attempt].Intent) with { At = At.Close });
            default:
                var proves = variant == Variant.AgeAskedAfterTheListing ? IsOld(world, run) : run.SilenceProves;
                if (run.Seen == Intention.Nothing)
                {
                    world = proves ? Rules.Close(world, run.Attempt, Row.Failed, -1) : Rules.Postpone(world, run.Attempt, run.StartedAt);
                }
                else
                {
                    (world, var decided) = Rules.Settle(world, run.Attempt, run.Seen, run.SeenIntent, run.StartedAt);
                    if (!decided)
                        world = Rules.Postpone(world, run.Attempt, run.StartedAt);
                }

                return (world, NextUnresolved(world, run));
        }
    }

    /// <summary>Asked before the listing: what is carried out between a listing and its conclusion is in no listing.</summary>
    private bool IsOld(World world, Run run) => world.Now - world.Attempts[run.Attempt].SentAt >= Rules.ProvesAbsence;

    private static Run NextUnresolved(World world, Run run) =>
        Next(world, run, row => Rules.IsAskedAbout(row, run.StartedAt));

    private (World, Run) MatchSuccessful(World world, Run run)
    {
        switch (run.At)
        {
            case At.List:
                var found = 0;
                for (var i = 0; i < world.Intents.Length; i++)
                {
                    var intent = world.Intents[i];
                    var seen = InWindow(world, run, intent.CreatedAt) || InWindow(world, run, intent.SucceededAt);
                    if (intent.Status == Intention.Succeeded && seen && !intent.Parked && !world.IsBooked(i))
                        found |= 1 << i;
                }

                if (variant == Variant.CursorMovedBeforeTheWork)
                    world = MoveCursor(world, run);
                return found != 0 ? (world, run with { At = At.Fulfil, Found = found })
                    : (MoveCursor(world, run), run with { At = At.Done });
            case At.Fulfil:
                var first = newestFirst ? System.Numerics.BitOperations.Log2((uint)run.Found) : System.Numerics.BitOperations.TrailingZeroCount(run.Found);
                var left = run.Found & ~(1 << first);
                return (Rules.Fulfil(world, first), run with { Found = left, At = left == 0 ? At.MoveCursor : At.Fulfil });
            default:
                return (MoveCursor(world, run), run with { At = At.Done });
        }
    }

    private static World MoveCursor(World world, Run run) => world with { Cursor = Math.Max(world.Cursor, run.StartedAt) };

    private static bool InWindow(World world, Run run, int at) => at >= Math.Min(world.Cursor, run.StartedAt) - 1 && at <= run.StartedAt;

    private (World, Run) ExpirePayments(World world, Run run)
    {
        switch (run.At)
        {
            case At.TakeUp:
                return (world, NextStale(world, run));
            case At.Find or At.Look when variant == Variant.ExpireWithoutAsking:
                world = Rules.Close(world, run.Attempt, Row.Expired, -1);
                return (world, NextStale(world, run));
            case At.Find:
                var found = See(world, run, Rules.Find(world, run.Attempt));
                return (world, found with { At = found.SeenIntent < 0 ? At.Close : At.Look, SilenceProves = IsOld(world, run) });
            case At.Look:
                var looked = See(world, run, run.SeenIntent >= 0 ? run.SeenIntent : world.Attempts[run.Attempt].Intent);
                return (world, looked with { At = IsOpen(looked.Seen) ? At.Cancel : At.Close });
            case At.Cancel or At.LookAgain:
                return CancelOrLookAgain(world, run);
            default:
                if (run.Seen == Intention.Nothing && !run.SilenceProves && variant != Variant.ExpiryOfWhatWasJustSent)
                    return (world, NextStale(world, run));
                world = run.Seen is Intention.Nothing or Intention.Canceled
                    ? Rules.Close(world, run.Attempt, Row.Expired, run.SeenIntent)
                    : Rules.Settle(world, run.Attempt, run.Seen, run.SeenIntent, run.StartedAt).World;
                return (world, NextStale(world, run));
        }
    }

    private static Run NextStale(World world, Run run) =>
        Next(world, run, row => row.Status == Row.Pending && row.CreatedAt < run.StartedAt - Rules.GivenUpAfter);

    private static Run Next(World world, Run run, Func<Attempt, bool> wanted)
    {
        var i = run.Attempt + 1;
        while (i < world.Attempts.Length && !wanted(world.Attempts[i]))
            i++;
        return i == world.Attempts.Length
            ? run with { At = At.Done }
            : Forget(run) with { At = world.Attempts[i].Intent < 0 ? At.Find : At.Look, Attempt = i };
    }

    private static Run See(World world, Run run, int intent) =>
        run with { SeenIntent = intent, Seen = intent < 0 ? Intention.Nothing : world.Intents[intent].Status };

    private static bool IsOpen(Intention seen) => seen is Intention.Declined or Intention.RequiresAction;

    /// <summary>What does not matter any more makes no two states of one.</summary>
    private static Run Forget(Run run) => new(run.Job, run.At, run.Subscription, run.StartedAt);
}
