using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.SumUp;
using Jobs.Terminals;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Jobs;

/// <summary>
/// The card-terminal queue to the free readers, first come, first served: each payment is sent once and followed until its result is
/// known, or left `unknown` - with reader and payer held - for the next run. Runs until the queue is empty or its time is up. In
/// fallback mode nothing is sent; results are still looked up.
/// </summary>
/// <remarks>
/// Where a run can die, and what the next one finds. After the claim, before the mark that it sends: nothing left, the payment waits
/// again at its place. After the mark: sent or not, so the reference is looked up until that is proven. Before the result is
/// booked: the look-up finds it again. The booking is one transaction.
/// </remarks>
public sealed class ProcessPaymentQueue(
    JobRun run, TerminalQueue queue, TerminalRoster roster, TerminalPayments payments, LateResults late, FallbackMode fallback,
    TerminalFulfilment fulfilment, AttemptResults results, SumUpClient sumUp, Db db, JobOptions options, Settings settings) : IJob
{
    private static readonly JobOption<TimeSpan?> DrainFor = new(
        "--drain-for", "duration", "Send nothing more after this long; what is under way is followed. Default: 4m.", OptionValue.Duration,
        TimeSpan.FromMinutes(4), "JOBS_TERMINAL_DRAIN_FOR");

    private static readonly JobOption<TimeSpan?> Wait = new(
        "--wait", "duration", "Stay at least this long for payments to come, so that a reader starts at once. Default: end when the queue is empty.",
        OptionValue.Duration, null, "JOBS_TERMINAL_WAIT");

    public static readonly JobOption[] Options = [DrainFor, Wait, TerminalPayments.PollEvery, TerminalPayments.NotPaidAfter];

    /// <summary>Below, a customer may still be paying when it is called not paid.</summary>
    private static readonly TimeSpan LeastInProduction = TimeSpan.FromSeconds(120);

    private static readonly TimeSpan TellStaffAfter = TimeSpan.FromMinutes(15);

    private readonly Stopwatch _clock = new();
    private readonly Dictionary<long, Task> _underWay = [];
    private readonly ConcurrentDictionary<long, long> _leftOpen = [];
    private SumUpException? _trouble;
    private StopRunException? _fatal;
    private int _sent;

    public static void AddParts(IServiceCollection services) => services
        .AddSingleton<TerminalQueue>()
        .AddSingleton<TerminalRoster>()
        .AddSingleton<AttemptResults>()
        .AddSingleton<TerminalPayments>()
        .AddSingleton<LateResults>();

    public async Task RunAsync()
    {
        if (settings.Production && options.Get(TerminalPayments.NotPaidAfter) < LeastInProduction)
        {
            throw new OperatorException("--not-paid-after below 2m is refused in production: a customer may still be paying when it is called not paid");
        }

        run.Counters.Add("approved", 0);
        if (run.DryRun)
        {
            await ForeseeAsync();
            return;
        }

        _clock.Start();
        await queue.TakeOverAsync();
        try
        {
            await DrainAsync();
        }
        finally
        {
            await Task.WhenAll(_underWay.Values);
        }

        if (_fatal is not null)
        {
            throw _fatal;
        }

        await ReconcileAsync();
        await TellStaffAsync();
        var length = await queue.LengthAsync();
        run.Counters.Add("waiting", length.Waiting);
        run.Counters.Add("unknown", length.Unknown);
        if (_trouble is { } trouble && !(await FallbackAsync()).IsActive(payments.Origin.Now))
        {
            throw new OperatorException($"SumUp could not be asked: {trouble.Message}; what is under way stays held until it can be");
        }
    }

    private async Task DrainAsync()
    {
        var free = await roster.FreeAsync();
        await AskAsync(free);
        while (!run.Stopping.IsCancellationRequested && _fatal is null)
        {
            run.Counters.Add("canceled", await queue.DropUnwantedAsync());
            foreach (var attempt in await queue.OpenAsync())
            {
                Take(attempt, () => payments.FollowAsync(attempt));
            }

            // Before the look at the readers, not after it: a payment that ends during the look still counts as under way, and so there
            // is another look, which sees its reader free.
            foreach (var (id, _) in _underWay.Where(task => task.Value.IsCompleted).ToList())
            {
                _underWay.Remove(id);
            }

            var waits = await StartAsync();
            if (_underWay.Count == 0 && !waits && !(options.Get(Wait) > _clock.Elapsed))
            {
                return;
            }

            await Task.WhenAny([Task.Delay(options.Get(TerminalPayments.PollEvery)!.Value, run.Stopping), .. _underWay.Values]);
        }
    }

    /// <summary>Gives each free reader the head of the queue.</summary>
    /// <returns>Whether there is something to wait for: a payment that a reader may be free for, or a provider that works again.</returns>
    private async Task<bool> StartAsync()
    {
        if (_clock.Elapsed > options.Get(DrainFor) || _sent >= run.Options.Limit)
        {
            return false;
        }

        if ((await FallbackAsync()) is var state && state.IsActive(payments.Origin.Now))
        {
            return state.Automatic && await WorksAgainAsync();
        }

        if (await queue.HeadAsync() is null)
        {
            return false;
        }

        var free = await roster.FreeAsync();
        foreach (var terminal in await AskAsync(free.Where(t => t.Due)))
        {
            if (await NextAsync() is { } head && await queue.ClaimAsync(head, terminal.Id) is { } attempt)
            {
                _sent++;
                run.Counters.Add("sent");
                Take(attempt, async () => await payments.SendAsync(attempt) ?? await payments.FollowAsync(attempt));
            }
        }

        return free.Count > 0;
    }

    /// <summary>The head of the queue that is still to be paid: its membership may have been paid in cash meanwhile.</summary>
    private async Task<WaitingPayment?> NextAsync()
    {
        while (!run.Stopping.IsCancellationRequested && !(_sent >= run.Options.Limit) && await queue.HeadAsync() is { } head)
        {
            var refusal = await db.TransactionAsync(tx => fulfilment.StillWantedAsync(tx, payments.Origin, head.PaymentId), run.Aborting);
            if (refusal is null)
            {
                return head;
            }

            run.Log.LogInformation("Payment {Payment} is no longer wanted: {Reason}", head.PaymentId, refusal.Sentence);
            await db.TransactionAsync(tx => TerminalFulfilment.CancelAsync(tx, payments.Origin, head.PaymentId, refusal.Reason), run.Aborting);
            run.Count("canceled", head.PaymentId, ("reason", refusal.Reason));
        }

        return null;
    }

    /// <returns>Of these readers, those that can take a payment.</returns>
    private async Task<List<FreeTerminal>> AskAsync(IEnumerable<FreeTerminal> terminals)
    {
        var (ready, trouble) = await roster.RefreshAsync(terminals);
        if (trouble is not null)
        {
            await MeetAsync(trouble);
        }

        return ready;
    }

    /// <returns>True when the provider answers; whether that ends the fallback, the next look tells.</returns>
    private async Task<bool> WorksAgainAsync()
    {
        try
        {
            await sumUp.ListReadersAsync(run.Aborting);
            await payments.WorkedAsync();
            return true;
        }
        catch (SumUpException e)
        {
            await MeetAsync(e);
            return false;
        }
    }

    private async Task MeetAsync(SumUpException e)
    {
        _trouble = e;
        await payments.FailedAsync(e);
        if (e.Kind is SumUpErrorKind.Unauthorized or SumUpErrorKind.Forbidden)
        {
            _fatal = TerminalPayments.RefusesUs(e);
        }
    }

    /// <summary>Works on one attempt beside the others.</summary>
    private void Take(TerminalAttempt attempt, Func<Task<TerminalOutcome>> work)
    {
        if (!_underWay.ContainsKey(attempt.Id))
        {
            _underWay.Add(attempt.Id, Task.Run(() => WorkAsync(attempt, work)));
        }
    }

    private async Task WorkAsync(TerminalAttempt attempt, Func<Task<TerminalOutcome>> work)
    {
        try
        {
            Count(attempt, await work());
        }
        catch (StopRunException e)
        {
            _fatal = e;
        }
        catch (Exception e) when (!run.Aborting.IsCancellationRequested)
        {
            await FailAsync(attempt, e);
        }
        catch (Exception)
        {
            // Abandoned: the next run looks up what became of it.
        }
    }

    private async Task FailAsync(TerminalAttempt attempt, Exception e)
    {
        try
        {
            await run.FailItemAsync(attempt.PaymentId.ToString(CultureInfo.InvariantCulture), e);
        }
        catch (Exception fatal)
        {
            _fatal = fatal as StopRunException ?? new StopRunException(fatal.Message, fatal);
        }
    }

    private void Count(TerminalAttempt attempt, TerminalOutcome outcome)
    {
        // Asked about many times in a run, and open all the while.
        if (outcome == TerminalOutcome.Unknown && !_leftOpen.TryAdd(attempt.Id, attempt.PaymentId))
        {
            return;
        }

        run.Count(
            outcome switch
            {
                TerminalOutcome.Approved => "approved",
                TerminalOutcome.Parked => "parked_payments",
                TerminalOutcome.RefundDue => "refund_due",
                TerminalOutcome.Declined => "declined",
                TerminalOutcome.NotPaid => "not_paid",
                TerminalOutcome.Refused => "refused",
                TerminalOutcome.Waiting => "put_back",
                TerminalOutcome.Unknown => "left_open",
                _ => "already_settled",
            },
            attempt.PaymentId,
            ("queue_id", attempt.QueueId),
            ("terminal", attempt.Terminal),
            ("client_reference", attempt.ClientReference));
    }

    private Task<FallbackState> FallbackAsync() =>
        db.TransactionAsync(async tx =>
        {
            await fallback.EndExpiredAsync(tx, payments.Origin);
            return await FallbackMode.ReadAsync(tx);
        },
        run.Aborting);

    /// <summary>What was closed without money and turned out paid; after a fallback, at once.</summary>
    private async Task ReconcileAsync()
    {
        if (run.Stopping.IsCancellationRequested || run.Options.Partial || _trouble is not null)
        {
            return;
        }

        try
        {
            await late.AskAgainAsync(Count);
            await late.GoThroughSalesAsync((await FallbackAsync()).EndedAt, Count);
        }
        catch (SumUpException e)
        {
            await MeetAsync(e);
        }
    }

    private async Task TellStaffAsync()
    {
        if (settings.Optional("STAFF_EMAIL") is { } staff)
        {
            run.Counters.Add("staff_told_of_unknown", await queue.TellUnknownAsync(staff, TellStaffAfter));
        }

        await Parking.TellStaffAsync(db, run, settings);
    }

    /// <summary>What each open payment would come to now, and which readers would take which payments.</summary>
    private async Task ForeseeAsync()
    {
        foreach (var attempt in await queue.OpenAsync())
        {
            var result = await results.FindAsync(attempt, attempt.Age!.Value, attempt.TerminatedAge, options.Get(TerminalPayments.NotPaidAfter)!.Value, run.Aborting);
            Count(attempt, result.Finding switch
            {
                AttemptFinding.Paid => TerminalOutcome.Approved,
                AttemptFinding.Declined => TerminalOutcome.Declined,
                AttemptFinding.NotPaid => TerminalOutcome.NotPaid,
                _ => TerminalOutcome.Unknown,
            });
        }

        var (ready, trouble) = await roster.RefreshAsync(await roster.FreeAsync());
        var active = (await db.TransactionAsync(FallbackMode.ReadAsync, run.Aborting)).IsActive(run.Now);
        var readers = active ? [] : ready;
        foreach (var (place, payment) in (await queue.WaitingAsync(run.Options.Limit ?? 100)).Index())
        {
            var reader = readers.ElementAtOrDefault(place);
            run.Count(
                reader is null ? "waiting" : "sent", payment.PaymentId,
                ("queue_id", payment.QueueId), ("terminal", reader?.Name), ("position", payment.Position));
        }

        if (trouble is not null)
        {
            throw new OperatorException($"SumUp could not be asked: {trouble.Message}");
        }
    }
}
