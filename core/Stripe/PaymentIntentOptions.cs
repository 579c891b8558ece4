namespace Jobs.Stripe;

/// <summary>
/// What a create sends. Nothing in it may differ from run to run: the same options give the same bytes.
/// The payment methods are Stripe's dynamic ones without redirects; <c>payment_method_types</c> no longer exists.
/// </summary>
public sealed class PaymentIntentCreateOptions
{
    /// <summary>Minor units, 1 to 99999999.</summary>
    public required long Amount { get; init; }

    /// <summary>Three lower-case letters.</summary>
    public required string Currency { get; init; }

    public string? Customer { get; init; }

    public string? PaymentMethod { get; init; }

    /// <summary>Charge now, in the same call.</summary>
    public bool? Confirm { get; init; }

    /// <summary>The customer is not there: a demand for authentication is a refusal. Needs <see cref="Confirm"/>.</summary>
    public bool? OffSession { get; init; }

    public string? Description { get; init; }

    /// <summary>Sent in this order.</summary>
    public IReadOnlyCollection<KeyValuePair<string, string>>? Metadata { get; init; }

    public PaymentIntentAutomaticPaymentMethodsOptions AutomaticPaymentMethods { get; init; } = new();

    public string? ReceiptEmail { get; init; }

    public string? StatementDescriptorSuffix { get; init; }

    /// <summary><c>on_session</c> or <c>off_session</c>.</summary>
    public string? SetupFutureUsage { get; init; }

    public string? ReturnUrl { get; init; }

    /// <exception cref="ArgumentException">An amount, a currency or metadata that Stripe can never accept.</exception>
    public FormBody ToForm()
    {
        if (Amount is < 1 or > 99_999_999)
            throw new ArgumentException($"An amount of {Amount} minor units cannot be charged: 1 to 99999999 can.");
        if (Currency.Length != 3 || !Currency.All(char.IsAsciiLetterLower))
            throw new ArgumentException($"'{Currency}' is not a currency of three lower-case letters.");
        if (OffSession == true && Confirm != true)
            throw new ArgumentException("off_session is only possible together with confirm.");
        return new FormWriter()
            .Add("amount", Amount)
            .Add("currency", Currency)
            .Add("customer", Customer)
            .Add("payment_method", PaymentMethod)
            .Add("confirm", Confirm)
            .Add("off_session", OffSession)
            .Add("description", Description)
            .Add("automatic_payment_methods[enabled]", AutomaticPaymentMethods.Enabled)
            .Add("automatic_payment_methods[allow_redirects]", AutomaticPaymentMethods.AllowRedirects)
            .Add("receipt_email", ReceiptEmail)
            .Add("statement_descriptor_suffix", StatementDescriptorSuffix)
            .Add("setup_future_usage", SetupFutureUsage)
            .Add("return_url", ReturnUrl)
            .AddMetadata(Metadata)
            .ToBody();
    }
}

public sealed class PaymentIntentAutomaticPaymentMethodsOptions
{
    public bool Enabled { get; init; } = true;

    /// <summary><c>never</c> needs no <c>return_url</c>, which a job has none of; <c>always</c> is the other value.</summary>
    public string AllowRedirects { get; init; } = "never";
}

public sealed class PaymentIntentConfirmOptions
{
    public string? PaymentMethod { get; init; }

    public bool? OffSession { get; init; }

    public string? ReceiptEmail { get; init; }

    public string? ReturnUrl { get; init; }

    public string? SetupFutureUsage { get; init; }

    public FormBody ToForm() => new FormWriter()
        .Add("payment_method", PaymentMethod)
        .Add("off_session", OffSession)
        .Add("receipt_email", ReceiptEmail)
        .Add("return_url", ReturnUrl)
        .Add("setup_future_usage", SetupFutureUsage)
        .ToBody();
}

public sealed class PaymentIntentCancelOptions
{
    /// <summary><c>abandoned</c>, <c>duplicate</c>, <c>fraudulent</c> or <c>requested_by_customer</c>.</summary>
    public string? CancellationReason { get; init; }

    public FormBody ToForm() => new FormWriter().Add("cancellation_reason", CancellationReason).ToBody();
}

/// <summary>Stripe filters PaymentIntents by customer and creation time only; status and metadata are the caller's to compare.</summary>
public sealed class PaymentIntentListOptions : ListOptions
{
    public string? Customer { get; init; }

    private protected override void AddTo(FormWriter query) => query.Add("customer", Customer);
}
