using System.Globalization;
using Jobs.Acting;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Settle;

/// <summary>
/// Money that arrived and fits nothing: it went back (refunded), it is nobody's business (ignored), or it is booked after all (recorded) -
/// for what it was meant for, when that can be had by now, or for nothing in particular of a user.
/// </summary>
internal sealed class Unmatched(ToolRun run, ToolServices services, Decision decision)
{
    private sealed class Parked
    {
        public long Id { get; init; }
        public string? ProviderPaymentId { get; init; }
        public long? PaymentId { get; init; }
        public string Reason { get; init; } = "";
        public string? Provider { get; init; }
        public long? AmountMinor { get; init; }
        public string? Currency { get; init; }
        public DateTime? ResolvedAt { get; init; }
        public string? Resolution { get; init; }

        /// <summary>By this person, who was stopped before the reason was on record.</summary>
        public bool BookedByMe { get; init; }

        /// <summary>A live one that waits for this to be settled.</summary>
        public long? SubscriptionId { get; init; }
    }

    private const string Find =
        """
        SELECT u.id, u.provider_payment_id, u.payment_id, u.reason, u.data ->> 'provider' AS provider, (u.data ->> 'amount_minor')::bigint AS amount_minor,
               u.data ->> 'currency' AS currency, u.resolved_at, u.resolution, s.id AS subscription_id,
               u.resolution = 'booked' AND EXISTS (
                   SELECT FROM payments AS b JOIN audit_logs AS l ON l.subject_type = 'payment' AND l.subject_id = b.id
                   WHERE b.provider_payment_id = u.provider_payment_id AND l.actor = @Actor AND l.run_id IS NULL) AS booked_by_me
        FROM unmatched_payments AS u
        LEFT JOIN payments AS p ON p.id = u.payment_id
        LEFT JOIN subscriptions AS s ON s.id = p.subscription_id AND s.status IN ('active', 'past_due') AND u.reason <> 'duplicate'
        WHERE u.id = @id
        """;

    public async Task<Answer> SettleAsync(long id)
    {
        if ((await FindAsync(id)) is not { } parked)
        {
            throw new OperatorException($"there is no unmatched payment {id}; `jobctl resolve list` shows those that are open");
        }

        if (Settled(parked) is { } before)
        {
            if (parked.BookedByMe && decision.As == "recorded")
            {
                await FinishAsync(parked, new("it was booked a moment ago", false, null));
            }

            return before;
        }

        if (parked.ProviderPaymentId is not { } providerId)
        {
            throw new OperatorException($"unmatched payment {id} names no payment at a provider; look at its row");
        }

        var word = await Provider.AskAsync(run, services, parked.Provider, providerId);
        return decision.As switch
        {
            "recorded" => await RecordAsync(parked, word),
            "refunded" when word.WentBack is false => throw new OperatorException($"{word.Says}: refund the rest there first, or settle it --as ignored or recorded"),
            "refunded" when word.WentBack is null && !run.Get(ResolveCommand.WithoutAsking) =>
                throw new OperatorException($"{word.Says}, not whether it was refunded; give --without-asking to go by your word"),
            _ => await CloseAsync(parked, word),
        };
    }

    private Task<Parked?> FindAsync(long id) => services.Db.TransactionAsync(tx => tx.SingleOrDefaultAsync<Parked>(Find, new { id, decision.Actor }), run.Stopping);

    /// <returns>Null while it is open.</returns>
    private Answer? Settled(Parked parked) => parked.ResolvedAt is not { } at ? null
        : parked.Resolution == decision.As || (decision.As == "recorded" && parked.Resolution == "booked")
            ? new("unchanged", $"unmatched payment {parked.Id} was settled before as {parked.Resolution} ({at:u})")
            : throw new OperatorException($"unmatched payment {parked.Id} was settled as {parked.Resolution} at {at:u}; nothing was changed");

    // Told or not, staff need not hear of it any more.
    private const string Close =
        """
        WITH resolved AS (
            UPDATE unmatched_payments
            SET resolved_at = clock_timestamp(), resolution = @As, reported_at = coalesce(reported_at, clock_timestamp())
            WHERE id = @Id AND resolved_at IS NULL
            RETURNING id, provider_payment_id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
        SELECT @Actor, 'unmatched_payment.' || @As, 'unmatched_payment', id,
               jsonb_build_object('reason', @Reason, 'provider_payment_id', provider_payment_id, 'provider_said', @says)
        FROM resolved
        """;

    private async Task<Answer> CloseAsync(Parked parked, ProviderWord word)
    {
        var closed = decision.DryRun || await services.Db.TransactionAsync(
            tx => tx.ExecuteAsync(Close, new { parked.Id, decision.As, decision.Actor, decision.Reason, says = word.Says }), run.Stopping) == 1;
        return closed
            ? Done(parked, $"unmatched payment {parked.Id} ({parked.Reason}){(decision.DryRun ? " would be" : "")} settled as {decision.As} by {decision.Actor}", word)
            : await MeanwhileAsync(parked.Id);
    }

    private static Answer Done(Parked parked, string sentence, ProviderWord word) => new("settled", sentence)
    {
        Notes =
        [
            word.Says,
            .. parked.SubscriptionId is { } subscription
                ? [string.Create(CultureInfo.InvariantCulture, $"Subscription {subscription} waited for this: autopayment charges its period when it is due.")] : Array.Empty<string>(),
        ],
        Fields = [("provider_payment_id", parked.ProviderPaymentId), ("provider_said", word.Says)],
    };

    private async Task<Answer> MeanwhileAsync(long id) =>
        Settled((await FindAsync(id))!) ?? throw new InvalidOperationException($"unmatched payment {id} is open and was not closed");

    private async Task<Answer> RecordAsync(Parked parked, ProviderWord word)
    {
        if (word.WentBack is true)
        {
            throw new OperatorException($"{word.Says}: nothing is left to record; settle it --as refunded");
        }

        if (run.Get(ResolveCommand.User) is { } user)
        {
            return await BookAsync(parked, word, user);
        }

        if (word.Intent is not { } intent || word.Received is null)
        {
            throw new OperatorException($"{word.Says}; give --user ID to book it for somebody in particular");
        }

        // What was missing may be there by now: the plan, the customer, the stock.
        var fulfilment = services.Get<Fulfilment>();
        var outcome = decision.DryRun ? await fulfilment.ForeseeAsync(intent) : await fulfilment.FulfilAsync(intent);
        return outcome is FulfilmentOutcome.Fulfilled or FulfilmentOutcome.AlreadyFulfilled
            ? Done(await FinishAsync(parked, word), $"unmatched payment {parked.Id}{(decision.DryRun ? " would be" : "")} booked for what it was meant for", word)
            : throw new OperatorException($"it still fits nothing ({parked.Reason}); give --user ID to book it for nothing in particular of that user, or refund it at the provider");
    }

    private const string Finish =
        """
        WITH finished AS (
            UPDATE unmatched_payments
            SET resolved_at = coalesce(resolved_at, clock_timestamp()), resolution = 'recorded', reported_at = coalesce(reported_at, clock_timestamp())
            WHERE id = @Id AND (resolved_at IS NULL OR resolution = 'booked')
            RETURNING id, provider_payment_id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
        SELECT @Actor, 'unmatched_payment.recorded', 'unmatched_payment', id,
               jsonb_build_object('reason', @Reason, 'provider_payment_id', provider_payment_id, 'provider_said', @says, 'payment_id', @paymentId::bigint)
        FROM finished
        """;

    private async Task<Parked> FinishAsync(Parked parked, ProviderWord word)
    {
        if (!decision.DryRun)
        {
            await services.Db.TransactionAsync(
                tx => tx.ExecuteAsync(Finish, new { parked.Id, decision.Actor, decision.Reason, says = word.Says, paymentId = (long?)null }), run.Stopping);
        }

        return parked;
    }

    // The payer first, as in every fulfilment.
    private static string Lock(Tx tx) => $"SELECT id FROM users WHERE id = @user {tx.RowLock}; SELECT resolved_at IS NULL FROM unmatched_payments WHERE id = @Id {tx.RowLock}";

    private const string IsBooked =
        "SELECT EXISTS (SELECT FROM payments WHERE provider_payment_id = @ProviderPaymentId AND status IN ('succeeded', 'refunded', 'disputed'))";

    private async Task<Answer> BookAsync(Parked parked, ProviderWord word, long user)
    {
        var received = word.Received ?? (run.Get(ResolveCommand.WithoutAsking) && parked is { AmountMinor: { } amount, Currency: { } currency }
            ? new Received(amount, currency, parked.Provider == "sumup" ? "card_terminal" : "card") { Provider = parked.Provider ?? "stripe", ProviderPaymentId = parked.ProviderPaymentId }
            : throw new OperatorException($"{word.Says}: there is no money to record"));
        var receipt = await services.Db.TransactionAsync(
            async tx =>
            {
                await using (var locked = await tx.QueryMultipleAsync(Lock(tx), new { user, parked.Id }))
                {
                    if (await locked.ReadSingleOrDefaultAsync<long?>() is null)
                    {
                        throw new OperatorException($"there is no user {user}");
                    }

                    if (!await locked.ReadSingleAsync<bool>())
                    {
                        return null;
                    }
                }

                if (await tx.SingleAsync<bool>(IsBooked, new { received.ProviderPaymentId }))
                {
                    throw new OperatorException($"{received.ProviderPaymentId} is booked already; settle it --as ignored");
                }

                if (decision.DryRun)
                {
                    return "";
                }

                var (payment, number) = await services.Get<ParkedMoney>().BookAsync(tx, services.Origin, received, user);
                await tx.ExecuteAsync(Finish, new { parked.Id, decision.Actor, decision.Reason, says = word.Says, paymentId = payment });
                return number;
            },
            run.Stopping);
        return receipt is null
            ? await MeanwhileAsync(parked.Id)
            : Done(
                parked,
                $"unmatched payment {parked.Id}: {Amount.Text(received.AmountMinor, received.Currency)}{(decision.DryRun ? " would be" : "")} booked for user {user}"
                    + (receipt.Length > 0 ? $", receipt {receipt}" : ""),
                word);
    }
}
