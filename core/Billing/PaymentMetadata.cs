using System.Globalization;

namespace Jobs.Billing;

/// <summary>
/// What a PaymentIntent says of itself: written on those we create, read on those an application created. Malformed
/// values count as absent: metadata is text that anybody with the dashboard can edit.
/// </summary>
public sealed class PaymentMetadata(IReadOnlyDictionary<string, string> metadata)
{
    public long? PaymentId => Id("payment_id");
    public long? UserId => Id("user_id");
    public long? SubscriptionId => Id("subscription_id");
    public long? OrderId => Id("order_id");
    public string? Plan => Text("plan");
    public bool ReducedPrice => Text("reduced_price") is "true" or "1";

    /// <summary>
    /// The attempt's idempotency key: after a restored backup the same payment_id may name another row, the key cannot.
    /// </summary>
    public string? AttemptKey => Text("attempt_key");

    public string? MembershipType => Text("membership_type") is "basic" or "circus" ? Text("membership_type") : null;

    public string? Purpose => Text("purpose") is "subscription" or "order" or "membership" ? Text("purpose") : null;

    public DateOnly? PeriodStart =>
        DateOnly.TryParseExact(Text("period_start"), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date) ? date : null;

    /// <summary>Carries anything of ours, so that it is our business.</summary>
    public bool IsOurs => PaymentId is not null || UserId is not null || Purpose is not null || SubscriptionId is not null || OrderId is not null;

    private long? Id(string name) =>
        long.TryParse(Text(name), NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > 0 ? id : null;

    private string? Text(string name) => metadata.TryGetValue(name, out var value) && value.Length > 0 ? value : null;
}
