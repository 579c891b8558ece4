using Microsoft.Extensions.Logging;

namespace Jobs.Stripe;

/// <summary>
/// One Stripe account, one pinned API version. Safe for concurrent use; one client per process, so that its
/// rate limit covers every call. What a failed call may have done is told by <see cref="StripeException.MayHaveHappened"/>.
/// </summary>
/// <remarks>
/// Cancelling a read, or a write of which nothing can have been carried out, throws <see cref="OperationCanceledException"/>.
/// Cancelling a write whose request may have left, now or in an earlier attempt of the call, throws
/// <see cref="StripeException"/> with <see cref="StripeException.MayHaveHappened"/> set.
/// </remarks>
public sealed class StripeClient : IDisposable
{
    /// <summary>Sent with every request: answers keep this shape whatever the account's default is. Events keep the account's.</summary>
    public const string ApiVersion = "2026-10-28.endive";

    private readonly StripeTransport transport;

    /// <param name="options">Checked here; a wrong one throws <see cref="ArgumentException"/>.</param>
    /// <param name="handler">Replaces the real network in tests. Owned, and disposed, by the client.</param>
    /// <param name="logger">Method, path, status, request id and duration at Debug, retries at Information; never bodies or keys.</param>
    public StripeClient(StripeClientOptions options, HttpMessageHandler? handler = null, ILogger? logger = null)
    {
        options.Validate();
        transport = new StripeTransport(options, handler, logger);
        PaymentIntents = new PaymentIntentService(transport);
        Customers = new CustomerService(transport);
        PaymentMethods = new PaymentMethodService(transport);
        Events = new EventService(transport);
        InvoicePayments = new InvoicePaymentService(transport);
        Invoices = new InvoiceService(transport);
        CheckoutSessions = new CheckoutSessionService(transport);
        Subscriptions = new SubscriptionService(transport);
        Refunds = new RefundService(transport);
        Disputes = new DisputeService(transport);
    }

    public PaymentIntentService PaymentIntents { get; }

    public CustomerService Customers { get; }

    public PaymentMethodService PaymentMethods { get; }

    public EventService Events { get; }

    public InvoicePaymentService InvoicePayments { get; }

    public InvoiceService Invoices { get; }

    public CheckoutSessionService CheckoutSessions { get; }

    public SubscriptionService Subscriptions { get; }

    public RefundService Refunds { get; }

    public DisputeService Disputes { get; }

    public void Dispose() => transport.Dispose();
}
