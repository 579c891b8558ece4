using Jobs.Billing;
using Jobs.Runs;
using Jobs.Stripe;
using Jobs.SumUp;

namespace Jobs.Settle;

/// <summary>What the provider says of money that arrived.</summary>
/// <param name="Says">As a sentence.</param>
/// <param name="WentBack">All of it; null: it does not tell, or was not asked.</param>
/// <param name="Received">The money; null: not known there.</param>
internal sealed record ProviderWord(string Says, bool? WentBack, Received? Received)
{
    /// <summary>For Stripe's: with its charge.</summary>
    public PaymentIntent? Intent { get; init; }
}

/// <summary>Asks the provider before a person's word is taken.</summary>
internal static class Provider
{
    public static async Task<ProviderWord> AskAsync(ToolRun run, ToolServices services, string? provider, string id)
    {
        try
        {
            return provider == "sumup" ? await AskSumUpAsync(run, services, id) : await AskStripeAsync(run, services, id);
        }
        catch (Exception e) when (e is StripeException or SumUpException or OperatorException)
        {
            var name = provider == "sumup" ? "SumUp" : "Stripe";
            return run.Get(ResolveCommand.WithoutAsking)
                ? new($"{name} was not asked: {run.Sentence(e)}", null, null)
                : throw new OperatorException($"{name} cannot be asked what became of {id}: {run.Sentence(e)}; try again, or give --without-asking to go by your word", e);
        }
    }

    private static async Task<ProviderWord> AskStripeAsync(ToolRun run, ToolServices services, string id)
    {
        PaymentIntent intent;
        try
        {
            intent = (await services.Get<StripeClient>().PaymentIntents.GetAsync(id, [Fulfilment.LatestCharge], run.Stopping)).Value;
        }
        catch (StripeException e) when (e.IsNotFound)
        {
            return new($"Stripe does not know {id}", null, null);
        }

        var back = intent.LatestCharge?.Object?.AmountRefunded ?? 0;
        return new(
            $"Stripe says of {id}: {intent.Status}, {Amount.Text(intent.AmountReceived, intent.Currency)} received, {Amount.Text(back, intent.Currency)} refunded",
            Fulfilment.WentBack(intent),
            intent.Status == PaymentIntentStatus.Succeeded ? Received.From(intent) : null)
        {
            Intent = intent,
        };
    }

    private static async Task<ProviderWord> AskSumUpAsync(ToolRun run, ToolServices services, string id)
    {
        if (await services.Get<SumUpClient>().FindTransactionAsync(TransactionKey.Id(id), run.Stopping) is not { } transaction)
        {
            return new($"SumUp does not know {id}", null, null);
        }

        var amount = transaction.AmountMinor - transaction.TipMinor;
        return new(
            $"SumUp says of {id}: {transaction.Status}, {Amount.Text(transaction.AmountMinor, transaction.Currency)}"
                + (transaction.RefundedMinor is { } back ? $", {Amount.Text(back, transaction.Currency)} refunded" : ""),
            transaction.RefundedMinor is { } refunded ? refunded >= transaction.AmountMinor : null,
            transaction.IsPaid
                ? new Received(amount, transaction.Currency, "card_terminal") { Provider = "sumup", ProviderPaymentId = transaction.Id, ProviderCreatedAt = transaction.Timestamp?.UtcDateTime }
                : null);
    }
}
