using System.Diagnostics;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.SumUp;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Jobs.Terminals;

/// <summary>What a payment at a reader came to, for this run.</summary>
public enum TerminalOutcome
{
    /// <summary>Booked, with what it pays for.</summary>
    Approved,

    /// <summary>The money was taken and fits nothing, or the payment was canceled meanwhile: in `unmatched_payments`, to be refunded.</summary>
    Parked,

    /// <summary>Booked, but the order cannot be had any more: staff are told to refund.</summary>
    RefundDue,

    /// <summary>By the card, or by the cancel key.</summary>
    Declined,

    /// <summary>Nobody paid, and nobody can any more.</summary>
    NotPaid,

    /// <summary>The provider does not accept it, and never will.</summary>
    Refused,

    /// <summary>The reader did not take it; it waits at its place.</summary>
    Waiting,

    /// <summary>Nobody knows; the next run asks again.</summary>
    Unknown,

    /// <summary>Somebody else settled it.</summary>
    Elsewhere,
}

/// <summary>
/// One payment at one reader: sent once, then followed until the result is known. Where it can die: before the mark that it is sent,
/// nothing left; after it, the reference finds what became of it. It is never sent twice, and what follows a lost answer is a question.
/// </summary>
public sealed class TerminalPayments(
    SumUpClient sumUp, TerminalQueue queue, AttemptResults results, TerminalFulfilment fulfilment, ProviderHealth health, Db db, JobRun run, JobOptions options)
{
    public static readonly JobOption<TimeSpan?> PollEvery = new(
        "--poll-every", "duration", "How often the provider is asked for a result. Default: 2s.", OptionValue.Duration, TimeSpan.FromSeconds(2),
        "JOBS_TERMINAL_POLL_EVERY");

    public static readonly JobOption<TimeSpan?> NotPaidAfter = new(
        "--not-paid-after", "duration", "How long showing it, the card and the tip can take together; before, nothing counts as not paid. Default: 3m.",
        OptionValue.Duration, TimeSpan.FromMinutes(3), "JOBS_TERMINAL_NOT_PAID_AFTER");

    /// <summary>A process that was frozen longer than this before the request left does not send it.</summary>
    private static readonly TimeSpan SendWithin = TimeSpan.FromSeconds(10);

    /// <summary>Later, the reader may be at the next sale.</summary>
    private static readonly TimeSpan TerminateWithin = TimeSpan.FromSeconds(120);

    /// <summary>Refused without a reason this often, it is not the reader that is busy.</summary>
    private const int MostAttempts = 60;

    private static readonly TimeSpan AskBusyAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskOfflineAfter = TimeSpan.FromSeconds(30);

    private long _failedAt = long.MinValue;

    /// <summary>The run's now, going on while it lasts: what is approved in its fourth minute is booked then.</summary>
    public Origin Origin => run.Origin with { Now = run.NowGoingOn };

    /// <summary>Gives the reader the payment that it was claimed for, once.</summary>
    /// <returns>Null when the result is to be followed.</returns>
    public async Task<TerminalOutcome?> SendAsync(TerminalAttempt attempt)
    {
        var since = Stopwatch.StartNew();
        if (!await queue.MarkSentAsync(attempt))
        {
            await queue.GiveBackAsync(attempt, "not_sent", "no_longer_wanted", "available", null);
            return TerminalOutcome.Elsewhere;
        }

        try
        {
            var checkout = await sumUp.CreateReaderCheckoutAsync(
                attempt.ProviderReaderId!,
                new()
                {
                    AmountMinor = attempt.AmountMinor,
                    Currency = attempt.Currency,
                    ForeignTransactionId = attempt.ClientReference,
                    Description = $"payment {attempt.PaymentId}",
                    MayStillBeSent = () => since.Elapsed < SendWithin && !run.Stopping.IsCancellationRequested,
                },
                run.Aborting);
            (attempt.ClientTransactionId, attempt.CheckoutId) = (checkout.ClientTransactionId, checkout.CheckoutId);
            await queue.AcceptedAsync(attempt);
            await WorkedAsync();
            return null;
        }
        catch (SumUpException e) when (e.MayHaveHappened)
        {
            run.Log.LogWarning("Payment {Payment} at {Terminal}: no answer ({Reason}); its result is looked up", attempt.PaymentId, attempt.Terminal, e.Message);
            await queue.DoubtAsync(attempt, "no_answer", endLease: false);
            await FailedAsync(e);
            return null;
        }
        catch (SumUpException e)
        {
            return await NotStartedAsync(attempt, e);
        }
    }

    /// <summary>The provider said no, or never heard: the reader shows nothing of it.</summary>
    private async Task<TerminalOutcome> NotStartedAsync(TerminalAttempt attempt, SumUpException e)
    {
        run.Log.LogInformation("Payment {Payment} was not started at {Terminal}: {Reason}", attempt.PaymentId, attempt.Terminal, e.Message);
        switch (e.Kind)
        {
            case SumUpErrorKind.InvalidRequest:
            case SumUpErrorKind.Unprocessable when attempt.Attempts >= MostAttempts:
                return await RefusedAsync(attempt, e);
            case SumUpErrorKind.ReaderBusy or SumUpErrorKind.Unprocessable:
                await queue.GiveBackAsync(attempt, "refused", "reader_busy", "busy", AskBusyAfter);
                break;
            case SumUpErrorKind.ReaderOffline:
                await queue.GiveBackAsync(attempt, "refused", "reader_offline", "offline", AskOfflineAfter);
                break;
            case SumUpErrorKind.NotFound:
                await queue.GiveBackAsync(attempt, "refused", "reader_not_paired", "offline", AskOfflineAfter);
                break;
            case SumUpErrorKind.NotSent:
                await queue.GiveBackAsync(attempt, "not_sent", "provider_unreachable", "available", AskBusyAfter);
                if (!run.Stopping.IsCancellationRequested)
                {
                    await FailedAsync(e);
                }

                return TerminalOutcome.Waiting;
            case SumUpErrorKind.Unauthorized or SumUpErrorKind.Forbidden:
                await queue.GiveBackAsync(attempt, "refused", "provider_refuses_us", "available", null);
                await FailedAsync(e);
                throw RefusesUs(e);
            default:
                await queue.GiveBackAsync(attempt, "refused", "provider_busy", "available", AskBusyAfter);
                await FailedAsync(e);
                return TerminalOutcome.Waiting;
        }

        await WorkedAsync();
        return TerminalOutcome.Waiting;
    }

    private async Task<TerminalOutcome> RefusedAsync(TerminalAttempt attempt, SumUpException e)
    {
        run.Log.LogError("SumUp does not accept payment {Payment}: {Reason}", attempt.PaymentId, e.Message);
        await WorkedAsync();
        return await EndAsync(attempt, "refused", "invalid_request") ? TerminalOutcome.Refused : TerminalOutcome.Elsewhere;
    }

    /// <summary>Asks for the result until it is known, or until the lease's time is up: then the payment is `unknown`, and asked about by later runs.</summary>
    public async Task<TerminalOutcome> FollowAsync(TerminalAttempt attempt)
    {
        var since = Stopwatch.StartNew();
        var (sentAge, terminatedAge) = (attempt.Age ?? TimeSpan.Zero, attempt.TerminatedAge);
        var status = attempt.Status;
        while (true)
        {
            var age = sentAge + since.Elapsed;
            var result = await results.FindAsync(attempt, age, terminatedAge + since.Elapsed, options.Get(NotPaidAfter)!.Value, run.Aborting);
            await (result.Answered ? WorkedAsync() : FailedAsync(null));
            switch (result.Finding)
            {
                case AttemptFinding.Paid:
                    return await ApproveAsync(attempt, result.Transaction!);
                case AttemptFinding.Declined:
                    return await EndAsync(attempt, "declined", result.Reason) ? TerminalOutcome.Declined : TerminalOutcome.Elsewhere;
                case AttemptFinding.NotPaid:
                    return await EndAsync(attempt, "not_paid", "not_paid") ? TerminalOutcome.NotPaid : TerminalOutcome.Elsewhere;
            }

            if (status != "pending" && terminatedAge is null && age < TerminateWithin)
            {
                terminatedAge = await TerminateAsync(attempt) ? -since.Elapsed : null;
            }

            if (age >= TerminalQueue.LeaseLength)
            {
                await queue.DoubtAsync(attempt, result.Reason, endLease: true);
                return TerminalOutcome.Unknown;
            }

            if (!await PauseAsync())
            {
                return TerminalOutcome.Unknown;
            }

            var now = await queue.ReadAsync(attempt.Id);
            if (now.SettledAt is not null)
            {
                return TerminalOutcome.Elsewhere;
            }

            status = now.Status;
        }
    }

    /// <returns>False when the run is stopping.</returns>
    private async Task<bool> PauseAsync()
    {
        try
        {
            await Task.Delay(options.Get(PollEvery)!.Value, run.Stopping);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Canceled here while the reader asks for the card: it is told to stop, once, and only while our payment certainly is the one on it.</summary>
    private async Task<bool> TerminateAsync(TerminalAttempt attempt)
    {
        if (attempt is not { ClientTransactionId: not null, ProviderReaderId: { } reader } || !await queue.MarkTerminatedAsync(attempt))
        {
            return false;
        }

        try
        {
            await sumUp.TerminateReaderCheckoutAsync(reader, run.Aborting);
        }
        catch (SumUpException e)
        {
            run.Log.LogInformation("{Terminal} was not told to stop: {Reason}", attempt.Terminal, e.Message);
        }

        return true;
    }

    /// <summary>Money was taken: booked with what it pays for or, when it fits nothing, kept for a refund. Also long after the attempt was closed.</summary>
    public async Task<TerminalOutcome> ApproveAsync(TerminalAttempt attempt, Transaction transaction)
    {
        var received = new Received(transaction.AmountMinor - transaction.TipMinor, transaction.Currency, "card_terminal")
        {
            Provider = "sumup",
            ProviderPaymentId = transaction.Id,
            ProviderCreatedAt = transaction.Timestamp?.UtcDateTime,
        };
        for (var repetition = 1; ; repetition++)
        {
            try
            {
                return await queue.SettleAsync(
                    attempt, "approved", "", transaction, async tx => await fulfilment.ApproveAsync(tx, Origin, attempt.PaymentId, received)) switch
                {
                    null => TerminalOutcome.Elsewhere,
                    ApprovalOutcome.Parked => TerminalOutcome.Parked,
                    ApprovalOutcome.RefundDue => TerminalOutcome.RefundDue,
                    _ => TerminalOutcome.Approved,
                };
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && repetition < 3)
            {
                // Somebody booked the same period or order between the look and the write; the next look sees it.
            }
        }
    }

    private async Task<bool> EndAsync(TerminalAttempt attempt, string outcome, string reason) =>
        await queue.SettleAsync(attempt, outcome, reason, null, async tx => await TerminalFulfilment.DeclineAsync(tx, Origin, attempt.PaymentId, reason))
            is not null;

    public Task WorkedAsync() => run.DryRun ? Task.CompletedTask : db.TransactionAsync(tx => health.WorkedAsync(tx, Origin), run.Aborting);

    public static StopRunException RefusesUs(SumUpException e) =>
        new($"SumUp refuses the credentials: {e.Message}; check SUMUP_API_KEY and SUMUP_MERCHANT_CODE", e);

    /// <summary>Counted once in 5 seconds at most, whatever asks at the same time: three questions of one moment are one failure.</summary>
    public async Task FailedAsync(SumUpException? e)
    {
        var last = Interlocked.Read(ref _failedAt);
        if (run.DryRun || (last != long.MinValue && Stopwatch.GetElapsedTime(last) < AskBusyAfter)
            || Interlocked.CompareExchange(ref _failedAt, Stopwatch.GetTimestamp(), last) != last)
        {
            return;
        }

        await db.TransactionAsync(tx => health.FailedAsync(tx, Origin, e?.Message ?? "SumUp does not answer"), run.Aborting);
    }
}
