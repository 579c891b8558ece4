namespace Jobs.Stripe;

/// <summary>
/// Writes throw <see cref="StripeException"/> when refused or in doubt and <see cref="IdempotencyKeyExpiredException"/> when
/// the key is too old; repeating one with the same key and the same bytes is safe for 24 hours, with a new key it is not.
/// </summary>
public sealed class PaymentIntentService
{
    private const string Path = "/v1/payment_intents";
    private readonly StripeTransport transport;

    internal PaymentIntentService(StripeTransport transport) => this.transport = transport;

    /// <summary>Sends exactly these bytes, which the caller has stored. A declined create leaves an open PaymentIntent, named by the error.</summary>
    public Task<StripeResponse<PaymentIntent>> CreateAsync(FormBody body, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        transport.PostAsync(Path, body, key, StripeJson.Default.PaymentIntent, cancellationToken);

    public Task<StripeResponse<PaymentIntent>> CreateAsync(PaymentIntentCreateOptions options, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        CreateAsync(options.ToForm(), key, cancellationToken);

    public Task<StripeResponse<PaymentIntent>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        GetAsync(id, [], cancellationToken);

    /// <param name="id"><c>pi_...</c></param>
    /// <param name="expand">Members to expand, such as <c>latest_charge</c>.</param>
    /// <param name="cancellationToken"></param>
    public Task<StripeResponse<PaymentIntent>> GetAsync(string id, IReadOnlyList<string> expand, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of(Path, id), expand, StripeJson.Default.PaymentIntent, cancellationToken);

    public Task<StripeResponse<PaymentIntent>> ConfirmAsync(string id, FormBody body, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        transport.PostAsync(StripePath.Of(Path, id, "confirm"), body, key, StripeJson.Default.PaymentIntent, cancellationToken);

    public Task<StripeResponse<PaymentIntent>> ConfirmAsync(string id, PaymentIntentConfirmOptions options, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        ConfirmAsync(id, options.ToForm(), key, cancellationToken);

    public Task<StripeResponse<PaymentIntent>> CancelAsync(string id, FormBody body, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        transport.PostAsync(StripePath.Of(Path, id, "cancel"), body, key, StripeJson.Default.PaymentIntent, cancellationToken);

    /// <summary>A succeeded, canceled or (nearly always) processing one is refused: <see cref="StripeException.IsUnexpectedState"/>.</summary>
    public Task<StripeResponse<PaymentIntent>> CancelAsync(string id, PaymentIntentCancelOptions? options, IdempotencyKey key, CancellationToken cancellationToken = default) =>
        CancelAsync(id, options?.ToForm() ?? FormBody.Empty, key, cancellationToken);

    public IAsyncEnumerable<PaymentIntent> ListAsync(PaymentIntentListOptions? options = null, CancellationToken cancellationToken = default) =>
        transport.ListAsync(Path, options ?? new(), StripeJson.Default.PaymentIntents, cancellationToken);
}
