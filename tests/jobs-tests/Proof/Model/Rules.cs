namespace Jobs.Tests.Proof.Model;

/// <summary>
/// The money rules of core/Billing. Each of these methods is one committed transaction, and sees the rows as they are then: Fulfilment,
/// Settlement and Dunning under their locks.
/// </summary>
internal sealed class Rules(Variant variant)
{
    public const int KeyLife = 23;
    public const int ProviderForgetsKey = 24;
    public const int GivenUpAfter = 7 * 24;
    public const int Never = int.MaxValue;
    private const int Grace = 72;

    // Midnight in Paris after the first, second and third day: the morning is at 06:00, the period ended an hour before.
    private static readonly int[] Retries = [18, 42, 66];

    public int ProvesAbsence => variant == Variant.AbsenceAfterAnHour ? 1 : 25;

    /// <summary>Within the grace a period begins where the last one ended, later on the day of the charge.</summary>
    public static int PeriodStart(int now) => now + 1 > Grace ? (6 + now) / 24 : 0;

    private static int NextRetry(int now) => Retries.FirstOrDefault(at => at > now, Never);

    public static bool IsPaid(World world, int subscription, int period) =>
        world.Attempts.Any(a => a.Subscription == subscription && a.Period == period && a.Status == Row.Succeeded);

    public static bool HasInFlight(World world, int subscription) => world.Attempts.Any(a => a.Subscription == subscription && a.InFlight);

    /// <summary>Renewal.Due: not paid for, not waiting for its day of retry, nothing in flight.</summary>
    public bool IsDue(World world, int subscription, int now)
    {
        var s = world.Subscriptions[subscription];
        return s.Extensions == 0 && s.Retry <= now && !IsPaid(world, subscription, 0)
            && (variant == Variant.SecondAttemptWhileOneIsInFlight || !HasInFlight(world, subscription));
    }

    /// <summary>Renewal.Method: one that asked for authentication in this period is not asked again blindly.</summary>
    public static bool HasMethod(World world, int subscription) =>
        !world.Attempts.Any(a => a.Subscription == subscription && a.Method == world.Method && a.Authentication);

    /// <summary>Attempts on which the customer might still pay, as bits.</summary>
    public int OpenOnes(World world, int subscription)
    {
        var open = 0;
        for (var i = 0; i < world.Attempts.Length && variant != Variant.EarlierAttemptLeftPayable; i++)
        {
            if (world.Attempts[i].Subscription == subscription && world.Attempts[i].Open)
                open |= 1 << i;
        }

        return open;
    }

    /// <summary>The PaymentIntent of an attempt: by its id, else by the metadata in a listing of the time in question.</summary>
    public static int Find(World world, int attempt)
    {
        var row = world.Attempts[attempt];
        if (row.Intent >= 0)
            return row.Intent;
        var found = -1;
        for (var i = world.Intents.Length - 1; i >= 0; i--)
        {
            var intent = world.Intents[i];
            if (intent.Attempt == attempt && intent.CreatedAt >= row.SentAt && intent.CreatedAt <= row.SentAt + 25
                && (found < 0 || intent.Status == Intention.Succeeded))
                found = i;
        }

        return found;
    }

    /// <summary>Settlement.SettleAsync, by what was seen of the PaymentIntent.</summary>
    /// <returns>Whether the provider has decided.</returns>
    public (World World, bool Decided) Settle(World world, int attempt, Intention seen, int intent, int now) => seen switch
    {
        Intention.Succeeded => (Fulfil(world, intent), true),
        Intention.Canceled => (Close(world, attempt, Row.Canceled, intent), true),
        Intention.Declined => (Decline(world, attempt, intent, now, authentication: false), true),
        Intention.RequiresAction => (Decline(world, attempt, intent, now, authentication: true), true),
        _ => (KeepOpen(world, attempt, intent), false),
    };

    /// <summary>Fulfilment.FulfilAsync: booked with its period, or parked as a duplicate, once.</summary>
    public World Fulfil(World world, int intent)
    {
        var it = world.Intents[intent];
        if (world.IsBooked(intent))
            return world;
        if (it.Attempt < 0)
            return IsPaid(world, it.Subscription, 0) ? world.With(intent, it with { Parked = true }) : Book(world with
            {
                Attempts = world.Attempts.Add(new Attempt(it.Subscription, Row.Succeeded, Key: -1, world.Method, world.Now, world.Now, Period: 0, intent, Ended: true)),
            }, it.Subscription);

        var row = world.Attempts[it.Attempt];
        if (row.Status == Row.Succeeded)
            return world.With(intent, it with { Parked = true });
        if (variant == Variant.LateSuccessOfAFailedRowIgnored && !row.InFlight)
            return world;
        if (variant != Variant.FulfilmentWithoutLookingForThePaidPeriod && IsPaid(world, row.Subscription, row.Period))
        {
            var lands = row.Intent < 0 || row.Intent == intent;
            if (lands && (row.InFlight || !it.Parked))
                world = world.With(it.Attempt, row with { Status = Row.Failed, Intent = intent, Ended = true, Authentication = false, NextCheck = 0 });
            return world.With(intent, it with { Parked = true });
        }

        world = world.With(it.Attempt, row with { Status = Row.Succeeded, Intent = intent, Ended = true, Authentication = false, NextCheck = 0 });
        return Book(world, row.Subscription);
    }

    private static World Book(World world, int subscription) =>
        world.With(subscription, new Subscription(world.Subscriptions[subscription].Extensions + 1, PastDue: false, Retry: 0));

    /// <summary>Dunning.DeclineAsync: the attempt fails if it is still in flight, and the subscription falls past due if it is still unpaid.</summary>
    private World Decline(World world, int attempt, int intent, int now, bool authentication)
    {
        var row = world.Attempts[attempt];
        if (!row.InFlight && variant != Variant.SettleWithoutCompareAndSet)
            return world;
        world = world.With(attempt, row with
        {
            Status = Row.Failed,
            Intent = variant == Variant.DeclineForgetsThePaymentIntent ? -1 : intent,
            Authentication = authentication,
            NextCheck = 0,
        });
        var subscription = world.Subscriptions[row.Subscription];
        return subscription.Extensions > 0 ? world : world.With(row.Subscription, subscription with { PastDue = true, Retry = authentication ? 0 : NextRetry(now) });
    }

    /// <summary>Settlement.KeepOpen: a row that was closed comes back into flight if no other is.</summary>
    private static World KeepOpen(World world, int attempt, int intent)
    {
        var row = world.Attempts[attempt];
        return row.Status is Row.Succeeded or Row.Unwritten || (!row.InFlight && HasInFlight(world, row.Subscription))
            ? world
            : world.With(attempt, row with { Status = Row.Processing, Intent = intent });
    }

    /// <summary>Settlement.CloseAsync: what is in flight gets the status; of what was closed before, that it is over is noted.</summary>
    public static World Close(World world, int attempt, Row status, int intent)
    {
        var row = world.Attempts[attempt];
        var known = intent >= 0 ? intent : row.Intent;
        return row.InFlight
                ? world.With(attempt, row with { Status = status, Intent = known, Ended = true, Authentication = false, NextCheck = 0 })
            : row.Status is Row.Failed or Row.Canceled or Row.Expired && known >= 0 && (row.Intent < 0 || row.Intent == known)
                ? world.With(attempt, row with { Intent = known, Ended = true })
            : world;
    }

    /// <summary>match-pending-payments' ladder: hourly for a day, then daily, and as soon as silence is a proof.</summary>
    public static World Postpone(World world, int attempt, int now)
    {
        var row = world.Attempts[attempt];
        if (!row.InFlight)
            return world;
        var next = now + (row.CreatedAt > now - 24 ? 1 : 24);
        return world.With(attempt, row with { NextCheck = row.Intent < 0 && row.SentAt + 25 > now ? Math.Min(next, row.SentAt + 25) : next });
    }

    public static bool IsAskedAbout(Attempt row, int now) => row.InFlight && (row.CreatedAt > now - 1 || row.NextCheck <= now);
}
