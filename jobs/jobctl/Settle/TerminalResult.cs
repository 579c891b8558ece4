using System.Globalization;
using Jobs.Acting;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.SumUp;
using Jobs.Terminals;
using Npgsql;

namespace Jobs.Settle;

/// <summary>
/// A card payment whose result nobody knows. Paid: booked as process-payment-queue books it, with what it pays for. Not paid: the payment
/// fails, and reader and payer are free. Whoever is first wins, this or the job; the other sees what was settled.
/// </summary>
internal sealed class TerminalResult(ToolRun run, ToolServices services, Decision decision)
{
    private sealed class Place
    {
        public string Status { get; init; } = "";
        public string PaymentStatus { get; init; } = "";
        public string? ProviderPaymentId { get; init; }
    }

    private const string Find =
        """
        SELECT q.status, p.status AS payment_status, p.provider_payment_id
        FROM payment_queue AS q JOIN payments AS p ON p.id = q.payment_id
        WHERE q.payment_id = @id
        """;

    private const string LastAttempt = $"{TerminalAttempt.Select} WHERE a.payment_id = @id ORDER BY a.id DESC LIMIT 1";

    public async Task<Answer> SettleAsync(long id)
    {
        var (place, attempt) = await LookAsync(id);
        if (Settled(id, place) is { } before)
        {
            return before;
        }

        if (place.Status != "unknown" && !(place.Status == "failed" && decision.As == "paid"))
        {
            throw new OperatorException(place.Status == "processing"
                ? $"payment {id} is at a reader: process-payment-queue follows it, and calls it unknown after 3 minutes; wait for that"
                : $"payment {id} is {place.Status} in the queue: there is no result to settle");
        }

        var (says, transaction) = await AskAsync(id, attempt);
        return decision.As == "paid" ? await ApproveAsync(id, says, transaction) : await EndAsync(id, says, transaction);
    }

    private Task<(Place Place, TerminalAttempt? Attempt)> LookAsync(long id) => services.Db.TransactionAsync(
        async tx => (
            await tx.SingleOrDefaultAsync<Place>(Find, new { id }) ?? throw new OperatorException($"payment {id} is not in the queue of the card terminals"),
            await tx.SingleOrDefaultAsync<TerminalAttempt>(LastAttempt, new { id })),
        run.Stopping);

    /// <returns>Null while it can be settled.</returns>
    private Answer? Settled(long id, Place place) => (place.Status, decision.As) switch
    {
        ("done", "paid") => new("unchanged", $"payment {id} was settled before: {place.PaymentStatus}, {place.ProviderPaymentId}"),
        ("failed", "not-paid") => new("unchanged", $"payment {id} was settled before as not paid"),
        ("done", _) => throw new OperatorException($"payment {id} was settled as paid meanwhile ({place.ProviderPaymentId}); nothing was changed"),
        _ => null,
    };

    /// <summary>What SumUp proves. The time it can take at most is over: the payment is unknown.</summary>
    private async Task<(string Says, Transaction? Transaction)> AskAsync(long id, TerminalAttempt? attempt)
    {
        try
        {
            var sumUp = services.Get<SumUpClient>();
            if (run.Get(ResolveCommand.Transaction) is { } named)
            {
                var transaction = await sumUp.FindTransactionAsync(TransactionKey.Code(named), run.Stopping)
                    ?? await sumUp.FindTransactionAsync(TransactionKey.Id(named), run.Stopping);
                return transaction is null ? ($"SumUp does not know {named}", null) : (Says(transaction), transaction);
            }

            if (attempt is null)
            {
                return ("there is no reference by which SumUp could be asked", null);
            }

            var result = await services.Get<AttemptResults>().FindAsync(attempt, attempt.Age ?? TimeSpan.Zero, attempt.TerminatedAge, TimeSpan.FromMinutes(3), run.Stopping);
            return (
                result.Transaction is { } found ? Says(found)
                    : result.Finding == AttemptFinding.NotPaid ? "SumUp proves that nothing was paid"
                    : $"SumUp cannot tell ({result.Reason})",
                result.Transaction);
        }
        catch (Exception e) when (e is SumUpException or OperatorException)
        {
            return run.Get(ResolveCommand.WithoutAsking)
                ? ($"SumUp was not asked: {run.Sentence(e)}", null)
                : throw new OperatorException($"SumUp cannot be asked what became of payment {id}: {run.Sentence(e)}; try again, or give --without-asking to go by your word", e);
        }
    }

    private static string Says(Transaction transaction) =>
        $"SumUp says of {transaction.TransactionCode ?? transaction.Id}: {transaction.Status}, {Amount.Text(transaction.AmountMinor, transaction.Currency)}";

    // A row that nobody gave a reference has no attempt either: it gets both where it is settled, in the same transaction.
    private const string Adopt =
        """
        WITH place AS (
            UPDATE payment_queue SET client_reference = coalesce(client_reference, @reference), updated_at = clock_timestamp()
            WHERE payment_id = @id AND status = 'unknown'
            RETURNING *
        )
        INSERT INTO terminal_attempts (queue_id, payment_id, terminal_id, provider_reader_id, client_reference, amount_minor, currency, sent_at)
        SELECT place.id, place.payment_id, place.terminal_id, t.provider_reader_id, place.client_reference, p.amount_minor, p.currency,
               coalesce(place.started_at, place.updated_at)
        FROM place
        JOIN payments AS p ON p.id = place.payment_id
        LEFT JOIN payment_terminals AS t ON t.id = place.terminal_id
        """;

    private const string LockPayer = "SELECT id FROM users WHERE id = (SELECT user_id FROM payments WHERE id = @id) FOR NO KEY UPDATE";

    private const string Claimed = "SELECT EXISTS (SELECT FROM terminal_attempts WHERE provider_transaction_id = @TransactionId AND payment_id <> @id)";

    private const string Audit =
        """
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
        VALUES (@Actor, 'payment.settled_by_hand', 'payment', @id,
                jsonb_build_object('as', @As, 'reason', @Reason, 'provider_said', @says, 'transaction', @transactionId::text))
        """;

    private Task AuditAsync(Tx tx, long id, string says, string? transactionId) =>
        tx.ExecuteAsync(Audit, new { id, decision.Actor, decision.As, decision.Reason, says, transactionId });

    private static async Task<TerminalAttempt> AttemptAsync(Tx tx, long id)
    {
        await tx.SingleOrDefaultAsync<long?>(LockPayer, new { id });
        var attempt = await tx.SingleOrDefaultAsync<TerminalAttempt>(LastAttempt, new { id });
        if (attempt is null)
        {
            await tx.ExecuteAsync(Adopt, new { id, reference = $"by hand {Guid.NewGuid():D}" });
            attempt = await tx.SingleOrDefaultAsync<TerminalAttempt>(LastAttempt, new { id });
        }

        return attempt ?? throw new OperatorException($"payment {id} was settled meanwhile; look at it again");
    }

    private async Task<Answer> ApproveAsync(long id, string says, Transaction? transaction)
    {
        if (transaction is { IsPaid: false })
        {
            throw new OperatorException($"{says}: it was not paid; settle it --as not-paid");
        }

        var transactionId = transaction?.Id ?? (run.Get(ResolveCommand.WithoutAsking) ? run.Get(ResolveCommand.Transaction) : null);
        if (transactionId is null)
        {
            throw new OperatorException($"{says}; find the payment in SumUp's own list and give its --transaction CODE{(run.Get(ResolveCommand.Transaction) is null ? "" : ", or --without-asking to go by your word")}");
        }

        for (var attempt = 1; !decision.DryRun; attempt++)
        {
            try
            {
                var outcome = await services.Db.TransactionAsync(tx => ApproveAsync(tx, id, says, transactionId, transaction), run.Stopping);
                return outcome is null ? await MeanwhileAsync(id) : Done(id, says, outcome.Value, transactionId);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation && attempt < 3)
            {
                // Somebody booked the same period or order between the look and the write; the next look sees it.
            }
        }

        return Done(id, says, ApprovalOutcome.Fulfilled, transactionId);
    }

    private async Task<ApprovalOutcome?> ApproveAsync(Tx tx, long id, string says, string transactionId, Transaction? transaction)
    {
        var attempt = await AttemptAsync(tx, id);
        if (await tx.SingleAsync<bool>(Claimed, new { TransactionId = transactionId, id }))
        {
            throw new OperatorException($"{transactionId} paid for something else already; nothing was changed");
        }

        if (transaction?.ForeignTransactionId is { } reference && reference != attempt.ClientReference && await IsOursAsync(tx, id, reference) is false)
        {
            throw new OperatorException($"{says}, but it carries the reference {reference} of something else; nothing was changed");
        }

        var received = new Received(
            transaction is null ? attempt.AmountMinor : transaction.AmountMinor - transaction.TipMinor, transaction?.Currency ?? attempt.Currency, "card_terminal")
        {
            Provider = "sumup",
            ProviderPaymentId = transactionId,
            ProviderCreatedAt = transaction?.Timestamp?.UtcDateTime,
        };
        return await TerminalQueue.SettleAsync(
            tx, attempt, "approved", "", transactionId, transaction?.ClientTransactionId,
            async inner =>
            {
                await AuditAsync(inner, id, says, transactionId);
                return await services.Get<TerminalFulfilment>().ApproveAsync(inner, services.Origin, id, received);
            });
    }

    private static Task<bool> IsOursAsync(Tx tx, long id, string reference) =>
        tx.SingleAsync<bool>("SELECT EXISTS (SELECT FROM terminal_attempts WHERE payment_id = @id AND client_reference = @reference)", new { id, reference });

    private static Answer Done(long id, string says, ApprovalOutcome outcome, string transactionId) => new("settled", outcome switch
    {
        ApprovalOutcome.Parked => string.Create(CultureInfo.InvariantCulture, $"payment {id}: the money was taken and fits nothing; it is parked, see `jobctl resolve list`"),
        ApprovalOutcome.RefundDue => string.Create(CultureInfo.InvariantCulture, $"payment {id} is booked; its order cannot be had any more, so the money is to go back"),
        _ => string.Create(CultureInfo.InvariantCulture, $"payment {id} is booked as paid by {transactionId}; reader and payer are free"),
    })
    {
        Notes = [says],
        Fields = [("transaction", transactionId)],
    };

    private async Task<Answer> EndAsync(long id, string says, Transaction? transaction)
    {
        if (transaction is { IsPaid: true })
        {
            throw new OperatorException($"{says}: it was paid; settle it --as paid");
        }

        var ended = decision.DryRun ? true : await services.Db.TransactionAsync(
            async tx =>
            {
                var attempt = await AttemptAsync(tx, id);
                return await TerminalQueue.SettleAsync(
                    tx, attempt, "not_paid", "settled_by_hand", null, null,
                    async inner =>
                    {
                        await AuditAsync(inner, id, says, null);
                        return await TerminalFulfilment.DeclineAsync(inner, services.Origin, id, "not_paid");
                    });
            },
            run.Stopping);
        return ended is null ? await MeanwhileAsync(id) : new("settled", $"payment {id}{(decision.DryRun ? " would be" : " is")} settled as not paid; reader and payer are free")
        {
            Notes = [says, "SumUp is asked about it for 48 hours more: should it turn out paid, it is booked, or parked for a refund."],
        };
    }

    private async Task<Answer> MeanwhileAsync(long id) =>
        Settled(id, (await LookAsync(id)).Place) ?? throw new OperatorException($"payment {id} was settled otherwise meanwhile; nothing was changed");
}
