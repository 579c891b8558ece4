namespace Jobs.Demo;

// Rows as they are inserted; the column is the property's name in snake case.
internal sealed record PlanRow(long Id, string Code, string Name, long AmountMinor, string Currency, string IntervalUnit, int IntervalCount);

internal sealed record UserRow(
    long Id, string Email, string Name, string Locale, string ProviderCustomerId, string? DefaultPaymentMethodId, DateTime CreatedAt);

internal sealed record SubscriptionRow(
    long Id, long UserId, long PlanId, string Status, DateTime StartedAt, DateTime EndedAt, bool AutoRenew, bool CancelAtPeriodEnd,
    string? ProviderSubscriptionId, int RetryCount, string? NextAttemptAt, string? LastDeclineCode);

internal sealed record PaymentRow(
    long Id, long UserId, long? SubscriptionId, long PlanId, string Purpose, long AmountMinor, string Currency, string Status, string Method,
    string Provider, string? ProviderPaymentId, string? ProviderPaymentMethodId, string ProviderCustomerId, DateOnly? PeriodStart, int Attempt,
    string? FailureCode, DateTime CreatedAt, DateTime? SucceededAt, DateTime? ProviderEndedAt);

internal sealed record ReceiptRow(string Number, long PaymentId, DateTime IssuedAt, long AmountMinor, string Currency);

internal sealed record CounterRow(string Series, int Year, long LastNumber, DateTime LastIssuedAt);

internal sealed record ProductRow(long Id, string Sku, string Name, long StockOnHand, long StockReserved);

internal sealed record OrderRow(
    long Id, long UserId, long TotalMinor, string Currency, string PaymentIntentId, DateTime CreatedAt, DateTime ExpiresAt);

/// <summary>Of an order, and its reservation.</summary>
internal sealed record ItemRow(long OrderId, long ProductId, long Quantity);
