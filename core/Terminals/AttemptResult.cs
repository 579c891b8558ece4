using Jobs.Database;
using Jobs.SumUp;

namespace Jobs.Terminals;

public enum AttemptFinding
{
    /// <summary>Nothing proves either: the reader and the payer stay held.</summary>
    Unclear,

    /// <summary>The money was taken.</summary>
    Paid,

    /// <summary>The provider has the end of it, and no money was taken.</summary>
    Declined,

    /// <summary>Nothing was taken, and nothing can be any more.</summary>
    NotPaid,
}

/// <param name="Finding">What is known.</param>
/// <param name="Transaction">Of what was paid or declined.</param>
/// <param name="Reason">Why it was declined, or is not clear.</param>
/// <param name="Answered">The provider answered every question: it works.</param>
public sealed record AttemptResult(AttemptFinding Finding, Transaction? Transaction, string Reason, bool Answered);

/// <summary>
/// Finds out what became of an attempt, whatever was lost on the way. A transaction under our reference proves a result; that there
/// is none yet proves nothing (the provider has been seen to deny real transactions), so "not paid" needs all of it: every time
/// that a reader, a customer and a tip screen can take is over, no lookup finds anything, the checkout is not open, the reader is
/// online and idle, and the sales since then hold no payment of that amount which nobody claims.
/// </summary>
public sealed class AttemptResults(SumUpClient sumUp, Db db)
{
    /// <summary>Between our asking a reader to stop, and concluding anything from that it did.</summary>
    private static readonly TimeSpan AfterTerminate = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan Clocks = TimeSpan.FromMinutes(30);

    /// <param name="attempt">Sent, without a result.</param>
    /// <param name="age">Since it was sent.</param>
    /// <param name="terminatedAge">Since the reader was told to stop, if it was.</param>
    /// <param name="notPaidAfter">How long everything together can take.</param>
    public async Task<AttemptResult> FindAsync(
        TerminalAttempt attempt, TimeSpan age, TimeSpan? terminatedAge, TimeSpan notPaidAfter, CancellationToken cancellation)
    {
        var asked = new Asked(cancellation);
        var transaction = await LookUpAsync(attempt, asked);
        if (transaction is { IsPaid: true })
        {
            return new(AttemptFinding.Paid, transaction, "", asked.All);
        }

        var checkout = attempt is { CheckoutId: { } checkoutId, ProviderReaderId: { } reader }
            ? await asked.OfAsync(() => sumUp.FindReaderCheckoutAsync(reader, checkoutId, asked.Cancellation))
            : null;
        var successful = checkout?.Status == "successful";
        if (transaction is { IsNotPaid: true } && !successful && asked.All)
        {
            return new(AttemptFinding.Declined, transaction, transaction.Status == "CANCELLED" ? "canceled" : "declined", true);
        }

        if (transaction is not null || successful)
        {
            return new(AttemptFinding.Unclear, null, "pending_at_provider", asked.All);
        }

        var ended = checkout?.Status is "failed" or "cancelled";
        if (age < notPaidAfter && !(terminatedAge >= AfterTerminate && ended))
        {
            return new(AttemptFinding.Unclear, null, "awaited", asked.All);
        }

        return await ProveAbsenceAsync(attempt, checkout, asked);
    }

    /// <summary>Under our reference, and under the provider's own id when it is known; null: neither is there.</summary>
    private async Task<Transaction?> LookUpAsync(TerminalAttempt attempt, Asked asked)
    {
        var byReference = await asked.OfAsync(() => sumUp.FindTransactionAsync(TransactionKey.Foreign(attempt.ClientReference), asked.Cancellation));
        if (byReference is { IsPaid: true } || attempt.ClientTransactionId is not { } client)
        {
            return byReference;
        }

        var byClient = await asked.OfAsync(() => sumUp.FindTransactionAsync(TransactionKey.Client(client), asked.Cancellation));
        if (byClient?.ForeignTransactionId is { } other && other != attempt.ClientReference)
        {
            byClient = null;
        }

        // Two answers that differ: the money decides, whoever speaks of it.
        return byClient is { IsPaid: true } ? byClient : byReference ?? byClient;
    }

    private async Task<AttemptResult> ProveAbsenceAsync(TerminalAttempt attempt, ReaderCheckoutState? checkout, Asked asked)
    {
        if (checkout is not null && checkout.Status is not ("failed" or "cancelled"))
        {
            return new(AttemptFinding.Unclear, null, $"checkout_{checkout.Status}", asked.All);
        }

        if (attempt is not { ProviderReaderId: { } reader, SentAt: { } sentAt })
        {
            return new(AttemptFinding.Unclear, null, "reader_unknown", asked.All);
        }

        var status = await asked.OfAsync(() => sumUp.FindReaderStatusAsync(reader, asked.Cancellation));
        if (!asked.All)
        {
            return new(AttemptFinding.Unclear, null, "provider_silent", false);
        }

        // What it did while it was away may come to light when it is back.
        if (status is null || !status.IsOnline || status.State is not (null or "IDLE") || status.LastActivity?.UtcDateTime < sentAt)
        {
            return new(AttemptFinding.Unclear, null, status is { IsOnline: true } ? "reader_not_idle" : "reader_offline", true);
        }

        return await FindInSalesAsync(attempt, sentAt, asked);
    }

    private const string Claimed =
        """
        SELECT EXISTS (
            SELECT FROM terminal_attempts AS a
            WHERE a.id <> @Id AND (a.provider_transaction_id = @TransactionId OR a.client_transaction_id = @ClientTransactionId))
        """;

    /// <summary>The sales since it was sent, and before, as far as two clocks may differ: a payment of that amount which is no other attempt's is looked at itself.</summary>
    private async Task<AttemptResult> FindInSalesAsync(TerminalAttempt attempt, DateTime sentAt, Asked asked)
    {
        var options = new TransactionHistoryOptions
        {
            ChangesSince = new DateTimeOffset(sentAt - Clocks),
            Types = ["PAYMENT"],
            Statuses = ["SUCCESSFUL", "REFUNDED"],
        };
        try
        {
            await foreach (var sale in sumUp.ListTransactionsAsync(options, asked.Cancellation))
            {
                var claimed = await db.TransactionAsync(
                    tx => tx.SingleAsync<bool>(Claimed, new { attempt.Id, TransactionId = sale.TransactionId ?? sale.Id, sale.ClientTransactionId }),
                    asked.Cancellation);
                if (claimed)
                {
                    continue;
                }

                var found = await sumUp.FindTransactionAsync(TransactionKey.Id(sale.TransactionId ?? sale.Id), asked.Cancellation);
                if (found is { IsPaid: true }
                    && (found.ForeignTransactionId == attempt.ClientReference
                        || (attempt.ClientTransactionId is { } client && found.ClientTransactionId == client)))
                {
                    return new(AttemptFinding.Paid, found, "", true);
                }

                if (found is null && sale.AmountMinor == attempt.AmountMinor && sale.Currency == attempt.Currency)
                {
                    return new(AttemptFinding.Unclear, null, "sale_unreadable", true);
                }
            }
        }
        catch (SumUpException)
        {
            return new(AttemptFinding.Unclear, null, "provider_silent", false);
        }

        return asked.All ? new(AttemptFinding.NotPaid, null, "not_paid", true) : new(AttemptFinding.Unclear, null, "provider_silent", false);
    }

    /// <summary>Asks, and remembers whether all were answered: no answer is no information.</summary>
    private sealed class Asked(CancellationToken cancellation)
    {
        public bool All { get; private set; } = true;

        public CancellationToken Cancellation { get; } = cancellation;

        public async Task<T?> OfAsync<T>(Func<Task<T?>> question)
            where T : class
        {
            try
            {
                return await question();
            }
            catch (SumUpException)
            {
                All = false;
                return null;
            }
        }
    }
}
