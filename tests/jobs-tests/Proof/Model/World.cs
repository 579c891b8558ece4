using System.Collections.Immutable;

namespace Jobs.Tests.Proof.Model;

/// <summary>Statuses of a row of `payments`; requires_action is not among them: to an off-session charge it is a decline.</summary>
internal enum Row
{
    /// <summary>Only in a wrong variant: sent before the row was committed.</summary>
    Unwritten,
    Pending,
    Processing,
    Succeeded,
    Failed,
    Canceled,
    Expired,
}

/// <summary>A PaymentIntent as the provider has it; Nothing stands for an empty listing.</summary>
internal enum Intention
{
    Nothing,

    /// <summary>requires_payment_method after a decline: the customer can still pay on it.</summary>
    Declined,
    RequiresAction,
    Processing,
    Succeeded,
    Canceled,
}

internal enum JobKind
{
    Autopayment,
    MatchPending,
    MatchSuccessful,
    ExpirePayments,
}

/// <summary>Where a run stands: the name of its next step. What is read from the provider and what is committed are steps of their own.</summary>
internal enum At
{
    TakeUp,
    ReadDue,

    /// <summary>Lists the customer's PaymentIntents: the id of the attempt's was never learned.</summary>
    Find,
    Look,
    Cancel,
    LookAgain,
    Close,
    Prepare,
    Send,

    /// <summary>The request is under way; only the provider moves.</summary>
    Wire,
    Answered,
    Settle,
    List,
    Fulfil,
    MoveCursor,
    Done,
}

/// <param name="Extensions">How many periods were granted. The plan is yearly and the model shorter than that, so one is enough.</param>
/// <param name="Retry">next_attempt_at in hours; 0: none.</param>
internal readonly record struct Subscription(int Extensions, bool PastDue, int Retry);

/// <summary>A row of `payments`. Hours since the morning on which the subscription became due.</summary>
/// <param name="Intent">provider_payment_id, an index of <see cref="World.Intents"/>; -1: never learned.</param>
/// <param name="Ended">provider_ended_at: nobody can pay on its PaymentIntent any more.</param>
/// <param name="Authentication">It failed because the bank wants the customer's authentication.</param>
/// <param name="Period">period_start in days.</param>
internal readonly record struct Attempt(
    int Subscription, Row Status, int Key, int Method, int CreatedAt, int SentAt, int Period, int Intent = -1, bool Ended = false,
    bool Authentication = false, int NextCheck = 0)
{
    public bool InFlight => Status is Row.Pending or Row.Processing;
    public bool Open => Status is Row.Failed or Row.Canceled or Row.Expired && Intent >= 0 && !Ended;
}

/// <param name="Attempt">Its metadata: the payments row it was made for; -1: an application's, for the first period.</param>
/// <param name="Answer">What the provider saved under the key, for 24 hours.</param>
internal readonly record struct Intent(
    int Subscription, int Attempt, int Key, Intention Status, Intention Answer, int CreatedAt, int SucceededAt = -1, bool Parked = false)
{
    public bool CanBePaid => Status is Intention.Declined or Intention.RequiresAction;
}

/// <summary>A run of a job. What it has read and not yet acted on may be old by now.</summary>
internal readonly record struct Run(JobKind Job, At At, int Subscription, int StartedAt)
{
    public int Attempt { get; init; } = -1;

    /// <summary>Earlier attempts still to be ended before this one, as bits.</summary>
    public int Earlier { get; init; }
    public Intention Seen { get; init; }
    public int SeenIntent { get; init; } = -1;
    public bool HasMethod { get; init; }

    /// <summary>When the attempt at hand is settled, the due ones are still to be read.</summary>
    public bool IsReplay { get; init; }
    public bool AnswerIsReplayed { get; init; }
    public int Key { get; init; }
    public int KeyUntil { get; init; }
    public int RequestedAt { get; init; }

    /// <summary>Silence would have proved, when it looked, that nothing was charged.</summary>
    public bool SilenceProves { get; init; }

    /// <summary>Successes that were listed and are unknown here, as bits.</summary>
    public int Found { get; init; }
}

/// <summary>A request whose sender is dead.</summary>
internal readonly record struct Orphan(int Attempt, int Key, int SentAt);

/// <summary>Everything: the database, the provider, the runs, the network and the clock. Nothing in it changes.</summary>
internal sealed record World
{
    public int Now { get; init; }
    public int ClockSteps { get; init; }
    public ImmutableArray<Subscription> Subscriptions { get; init; }
    public ImmutableArray<Attempt> Attempts { get; init; } = [];
    public ImmutableArray<Intent> Intents { get; init; } = [];
    public ImmutableArray<Run> Runs { get; init; } = [];
    public ImmutableArray<Orphan> Orphans { get; init; } = [];
    public int Keys { get; init; }

    /// <summary>Up to when match-successful-payments has read.</summary>
    public int Cursor { get; init; }

    /// <summary>The customer's payment method: another one than the first after he changed it.</summary>
    public int Method { get; init; }

    public static World Of(int subscriptions) => new() { Subscriptions = [.. Enumerable.Repeat(default(Subscription), subscriptions)] };

    public World With(int attempt, Attempt value) => this with { Attempts = Attempts.SetItem(attempt, value) };

    public World With(int subscription, Subscription value) => this with { Subscriptions = Subscriptions.SetItem(subscription, value) };

    public World With(int intent, Intent value) => this with { Intents = Intents.SetItem(intent, value) };

    /// <summary>The order in which two runs were started says nothing.</summary>
    public World WithRuns(IEnumerable<Run> runs) => this with { Runs = [.. runs.Where(run => run.At != At.Done).OrderBy(run => run.GetHashCode())] };

    public World With(int run, Run value) => WithRuns(Runs.SetItem(run, value));

    /// <summary>The bank took the money and nobody took it back.</summary>
    public int TakenByUs(int subscription) =>
        Intents.Count(i => i.Subscription == subscription && i.Attempt >= 0 && i.Status == Intention.Succeeded);

    public bool IsBooked(int intent) => Attempts.Any(a => a.Status == Row.Succeeded && a.Intent == intent);

    /// <summary>The 128 bits that stand for it among those seen.</summary>
    public UInt128 Print()
    {
        var print = new Fingerprint();
        print.Add(Now, ClockSteps, Keys, Cursor, Method, Subscriptions.Length);
        foreach (var s in Subscriptions)
            print.Add(s.Extensions, s.PastDue ? 1 : 0, s.Retry);
        print.Add(Attempts.Length);
        foreach (var a in Attempts)
        {
            print.Add(a.Subscription, (int)a.Status, a.Key, a.Method, a.CreatedAt, a.SentAt);
            print.Add(a.Period, a.Intent, a.Ended ? 1 : 0, a.Authentication ? 1 : 0, a.NextCheck);
        }

        print.Add(Intents.Length);
        foreach (var i in Intents)
        {
            print.Add(i.Subscription, i.Attempt, i.Key, (int)i.Status, (int)i.Answer, i.CreatedAt);
            print.Add(i.SucceededAt, i.Parked ? 1 : 0);
        }

        print.Add(Runs.Length);
        foreach (var r in Runs)
        {
            print.Add((int)r.Job, (int)r.At, r.Subscription, r.StartedAt, r.Attempt, (int)r.Seen);
            print.Add(r.SeenIntent, r.HasMethod ? 1 : 0, r.IsReplay ? 1 : 0, r.AnswerIsReplayed ? 1 : 0, r.Key, r.KeyUntil);
            print.Add(r.RequestedAt, r.SilenceProves ? 1 : 0, r.Found, r.Earlier);
        }

        print.Add(Orphans.Length);
        foreach (var o in Orphans)
            print.Add(o.Attempt, o.Key, o.SentAt);
        return print.Value;
    }

    private struct Fingerprint()
    {
        private ulong _high = 0x9E3779B97F4A7C15, _low = 0xC2B2AE3D27D4EB4F;

        public readonly UInt128 Value => new(_high, _low);

        public void Add(params ReadOnlySpan<int> values)
        {
            foreach (var value in values)
            {
                _high = (ulong.RotateLeft(_high, 23) ^ (uint)value) * 0x100000001B3;
                _high ^= _high >> 29;
                _low = (ulong.RotateLeft(_low, 41) + (uint)value + 0x165667B19E3779F9) * 0xD6E8FEB86659FD93;
                _low ^= _low >> 32;
            }
        }
    }
}
