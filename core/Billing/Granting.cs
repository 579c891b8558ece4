using Jobs.Database;

namespace Jobs.Billing;

/// <summary>Grants what a payment is for, whatever that is.</summary>
public sealed class Granting(
    BusinessZone zone, SubscriptionFulfilment subscriptions, OrderFulfilment orders, MembershipFulfilment memberships)
{
    /// <returns>Null when granted and booked - in a dry run or foreseen: when it would be -, else why not, and nothing written.</returns>
    internal Task<Refusal?> GrantAsync(Tx tx, Success success) => success.Purpose switch
    {
        "subscription" => subscriptions.GrantAsync(tx, success),
        "order" => orders.GrantAsync(tx, success),
        "membership" => memberships.GrantAsync(tx, success),
        _ => BookAloneAsync(tx, success),
    };

    /// <summary>
    /// A payment for nothing we know how to grant is only booked: whatever is taken by hand, and what a provider has taken when
    /// a row says how much it should be.
    /// </summary>
    private async Task<Refusal?> BookAloneAsync(Tx tx, Success success)
    {
        if (success.AmountMinor is { } amount)
        {
            if (success.Disagreement(amount, success.Currency!) is { } disagreement)
            {
                return disagreement;
            }
        }
        else if (!success.Received.CanBeRefused)
        {
            return new(ParkingReason.PlanUnknown, "nobody knows what it pays for");
        }

        if (!tx.ReadOnly && !success.Foreseen)
        {
            await success.BookAsync(tx, zone, last: true);
        }

        return null;
    }
}
