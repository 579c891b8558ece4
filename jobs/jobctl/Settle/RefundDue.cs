using Jobs.Billing;
using Jobs.Runs;
using Jobs.Stripe;
using Answer = Jobs.Acting.Answer;

namespace Jobs.Settle;

/// <summary>An order that was paid and cannot be had any more: its money went back.</summary>
internal sealed class RefundDue(ToolRun run, ToolServices services, Decision decision)
{
    private sealed class Order
    {
        public string Status { get; init; } = "";
        public long? PaymentId { get; init; }
        public string? PaymentStatus { get; init; }
        public string? Provider { get; init; }
        public string? ProviderPaymentId { get; init; }

        /// <summary>A person said why, and it is on record.</summary>
        public bool Explained { get; init; }
    }

    private const string Find =
        """
        SELECT o.status, p.id AS payment_id, p.status AS payment_status, p.provider, p.provider_payment_id,
               EXISTS (SELECT FROM audit_logs WHERE subject_type = 'order' AND subject_id = o.id AND action = 'order.refund_settled') AS explained
        FROM orders AS o
        LEFT JOIN payments AS p ON p.order_id = o.id AND p.status IN ('succeeded', 'refunded', 'disputed')
        WHERE o.id = @id
        """;

    public async Task<Answer> SettleAsync(long id)
    {
        var order = await FindAsync(id) ?? throw new OperatorException($"there is no order {id}");
        if (order is { Status: "canceled", PaymentStatus: "refunded" })
        {
            return order.Explained || !await ExplainAsync(id, "")
                ? new("unchanged", $"order {id} is canceled and its payment refunded already")
                : Done(id, "");
        }

        if (order is not { Status: "refund_due", PaymentId: { } payment, PaymentStatus: "succeeded" })
        {
            throw new OperatorException(
                $"order {id} is {order.Status}{(order.PaymentStatus is { } status ? $" and its payment {status}" : "")}; only one whose refund is due can be settled here");
        }

        return order is { Provider: "stripe", ProviderPaymentId: { } intent }
            ? await ByStripeAsync(id, intent)
            : await ByHandAsync(id, payment, order);
    }

    private Task<Order?> FindAsync(long id) => services.Db.TransactionAsync(tx => tx.SingleOrDefaultAsync<Order>(Find, new { id }), run.Stopping);

    /// <summary>Stripe knows: what it refunded is recorded as subscription-sync would.</summary>
    private async Task<Answer> ByStripeAsync(long id, string intent)
    {
        var reversals = services.Get<Reversals>();
        Reversal reversal;
        try
        {
            reversal = await reversals.ReconcileAsync(intent);
        }
        catch (StripeException e)
        {
            throw new OperatorException($"Stripe cannot be asked what became of {intent}: {run.Sentence(e)}; try again", e);
        }

        if (decision.DryRun ? reversal == Reversal.Refunded : await FindAsync(id) is { Status: "canceled" })
        {
            var says = $"Stripe says that {intent} was refunded in full";
            await ExplainAsync(id, says);
            return Done(id, says);
        }

        throw new OperatorException($"Stripe has not refunded {intent} in full; refund it there first, then settle it here");
    }

    private async Task<Answer> ByHandAsync(long id, long payment, Order order)
    {
        var says = "";
        if (order is { Provider: { } provider, ProviderPaymentId: { } providerId })
        {
            var word = await Provider.AskAsync(run, services, provider, providerId);
            if (word.WentBack is not true && !run.Get(ResolveCommand.WithoutAsking))
            {
                throw new OperatorException($"{word.Says}; refund it there first, or give --without-asking to go by your word");
            }

            says = word.Says;
        }

        var done = decision.DryRun || await services.Db.TransactionAsync(
            async tx => await tx.RefundByHandAsync(services.Origin, payment) && await tx.ExecuteAsync(Explain, Explanation(id, says)) >= 0, run.Stopping);
        return done || await FindAsync(id) is { Status: "canceled" }
            ? Done(id, says)
            : throw new OperatorException($"order {id} was settled otherwise meanwhile; look at it again");
    }

    private Answer Done(long id, string says) => new("settled", $"order {id}{(decision.DryRun ? " would be" : " is")} canceled, its payment refunded, by {decision.Actor}")
    {
        Notes = says.Length > 0 ? [says] : [],
    };

    private const string Explain =
        """
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, data)
        SELECT @Actor, 'order.refund_settled', 'order', @id, jsonb_build_object('reason', @Reason, 'provider_said', @says)
        WHERE NOT EXISTS (SELECT FROM audit_logs WHERE subject_type = 'order' AND subject_id = @id AND action = 'order.refund_settled')
        """;

    private object Explanation(long id, string says) => new { id, says, decision.Actor, decision.Reason };

    /// <returns>False when it was said before.</returns>
    private async Task<bool> ExplainAsync(long id, string says) =>
        decision.DryRun || await services.Db.TransactionAsync(tx => tx.ExecuteAsync(Explain, Explanation(id, says)), run.Stopping) == 1;
}
