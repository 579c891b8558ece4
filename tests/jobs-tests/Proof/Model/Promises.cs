namespace Jobs.Tests.Proof.Model;

/// <summary>What must hold in every state, between any two, and in the end.</summary>
internal sealed class Promises(Moves moves)
{
    private readonly HashSet<UInt128> _goesWell = [];

    /// <returns>The promise that is broken; null when all hold.</returns>
    public static string? BrokenBy(World before, World after)
    {
        for (var s = 0; s < after.Subscriptions.Length; s++)
        {
            if (after.TakenByUs(s) > 1)
                return $"subscription {s} was charged twice for one renewal";
            if (after.Attempts.Count(a => a.Subscription == s && a.InFlight) > 1)
                return $"subscription {s} has two attempts in flight";
            if (after.Attempts.Count(a => a.Subscription == s && a.Status == Row.Succeeded) != after.Subscriptions[s].Extensions)
                return $"subscription {s} was not extended once for each payment booked";
        }

        for (var i = 0; i < after.Attempts.Length; i++)
        {
            var row = after.Attempts[i];
            if (i < before.Attempts.Length && before.Attempts[i].Status == Row.Succeeded && row != before.Attempts[i])
                return $"payment {i} had succeeded and changed";
            if (row.Status == Row.Succeeded && (row.Intent < 0 || after.Intents[row.Intent].Status != Intention.Succeeded))
                return $"payment {i} was booked without money";
            if (row.Status == Row.Succeeded && after.Attempts.Take(i).Any(other => other.Status == Row.Succeeded && other.Subscription == row.Subscription && other.Period == row.Period))
                return $"payment {i} was booked for a period that is paid";
            if (row.Status == Row.Succeeded && after.Attempts.Take(i).Any(other => other.Intent == row.Intent))
                return $"two payments stand for one PaymentIntent";
            if (row.Ended && row.Intent >= 0 && after.Intents[row.Intent].CanBePaid)
                return $"payment {i} counts as over, and can still be paid";
        }

        for (var i = 0; i < after.Intents.Length; i++)
        {
            if (after.Intents[i].Attempt >= 0 && after.Intents.Take(i).Any(other => other.Attempt == after.Intents[i].Attempt))
                return $"two PaymentIntents were made for payment {after.Intents[i].Attempt}";
        }

        return null;
    }

    private static readonly JobKind[][] Orders =
    [
        [JobKind.Autopayment, JobKind.MatchSuccessful, JobKind.MatchPending, JobKind.ExpirePayments],
        [JobKind.MatchPending, JobKind.MatchSuccessful, JobKind.ExpirePayments, JobKind.Autopayment],
    ];

    /// <summary>
    /// From here on nothing goes wrong any more: whoever runs is dead, banks decide, the jobs run to their end, a day and two hours pass, again and
    /// again. Every success must then be booked or parked, and nothing may stay in flight.
    /// </summary>
    public string? BrokenFrom(World world, List<string>? story = null)
    {
        var quiet = world with { Runs = [], Orphans = [], ClockSteps = 0 };
        if (_goesWell.Contains(quiet.Print()))
            return null;
        foreach (var order in Orders)
        {
            if (BrokenBy(quiet, order, story) is { } broken)
                return broken;
        }

        _goesWell.Add(quiet.Print());
        return null;
    }

    private string? BrokenBy(World world, JobKind[] order, List<string>? story)
    {
        for (var round = 0; round < 14; round++)
        {
            if (round > 0 && IsSettled(world))
                break;
            for (var i = 0; i < world.Intents.Length; i++)
            {
                if (world.Intents[i].Status == Intention.Processing)
                    world = Provider.Succeed(world, i);
            }

            foreach (var job in order)
            {
                for (var s = 0; s < (job == JobKind.Autopayment ? world.Subscriptions.Length : 1); s++)
                {
                    var before = world;
                    world = ToTheEnd(world, job, s);
                    if (ReferenceEquals(before, world))
                        continue;
                    story?.Add($"   {world.Now} h: {job} runs undisturbed");
                    if (BrokenBy(before, world) is { } broken)
                        return broken;
                }
            }

            world = Moves.Pass(world, 26)!;
        }

        return IsSettled(world) ? null : world.Attempts.Any(a => a.InFlight) ? "an attempt stays in flight for ever" : "a payment is lost";
    }

    public static bool IsSettled(World world) =>
        !world.Attempts.Any(a => a.InFlight)
        && !world.Intents.Where((intent, i) => intent.Status == Intention.Succeeded && !intent.Parked && !world.IsBooked(i)).Any();

    /// <summary>A run from its start to its end with nobody else about; what it charges succeeds.</summary>
    public World ToTheEnd(World world, JobKind job, int subscription)
    {
        if (moves.Jobs.Start(world, job, subscription) is not { } running)
            return world;
        while (running.Runs is [var run, ..])
        {
            if (run.At != At.Wire)
            {
                running = moves.Jobs.Step(running, 0);
                continue;
            }

            var replayed = Provider.Saved(running, run.Key) >= 0;
            if (!replayed)
                running = Provider.Create(running, run.Attempt, run.Key, Intention.Succeeded);
            running = running.With(0, Moves.Answer(running, run, replayed));
        }

        return running;
    }
}
