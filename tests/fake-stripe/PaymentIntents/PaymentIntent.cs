namespace Jobs.Testing.FakeStripe;

internal sealed class PaymentIntent : StripeObject
{
    public required long Amount { get; set; }
    public required string Currency { get; set; }
    public long AmountCapturable { get; set; }
    public long AmountReceived { get; set; }
    public bool RedirectsAllowed { get; set; } = true;
    public long? CanceledAt { get; set; }
    public string? CancellationReason { get; set; }
    public string CaptureMethod { get; set; } = "automatic_async";
    public string? Customer { get; set; }
    public string? Description { get; set; }
    public PaymentError? LastPaymentError { get; set; }
    public string? LatestCharge { get; set; }
    public string? PaymentMethod { get; set; }
    public string? ReceiptEmail { get; set; }
    public string? SetupFutureUsage { get; set; }
    public string? StatementDescriptor { get; set; }
    public string? StatementDescriptorSuffix { get; set; }
    public string? TransferGroup { get; set; }
    public string Status { get; set; } = "requires_payment_method";

    /// <summary>Grows with every change of state; something scheduled for an older attempt finds it changed.</summary>
    public int Attempt { get; set; }

    /// <summary>How the processing under way will end: null is success, otherwise the decline.</summary>
    public Decline? SettlesAs { get; set; }

    /// <summary>Search learns of a change later than the API itself.</summary>
    public long ChangedAt { get; set; }

    public override string? LockCustomer => Customer ?? Id;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "payment_intent");
        json.BeginArray("allowed_payment_method_types");
        json.Item("card");
        json.EndArray();
        json.Number("amount", Amount);
        json.Number("amount_capturable", AmountCapturable);
        json.Number("amount_received", AmountReceived);
        json.Nulls("application", "application_fee_amount");
        json.Begin("automatic_payment_methods");
        json.Text("allow_redirects", RedirectsAllowed ? "always" : "never");
        json.Flag("enabled", value: true);
        json.End();
        json.Number("canceled_at", CanceledAt);
        json.Text("cancellation_reason", CancellationReason);
        json.Text("capture_method", CaptureMethod);
        json.Text("client_secret", $"{Id}_secret_fake");
        json.Text("confirmation_method", "automatic");
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Reference("customer", Customer);
        json.Null("customer_account");
        json.Text("description", Description);
        json.Null("excluded_payment_method_types");
        if (LastPaymentError is null)
            json.Null("last_payment_error");
        else
            json.Object("last_payment_error", LastPaymentError);
        json.Reference("latest_charge", LatestCharge);
        json.Flag("livemode", json.World.Config.Live);
        json.Null("managed_payments");
        Metadata.Write(json);
        WriteNextAction(json);
        json.Null("on_behalf_of");
        json.Reference("payment_method", PaymentMethod);
        json.Nulls("payment_method_configuration_details", "payment_method_options");
        json.BeginArray("payment_method_types");
        json.Item("card");
        json.EndArray();
        json.Nulls("payment_record", "processing");
        json.Text("receipt_email", ReceiptEmail);
        json.Null("review");
        json.Text("setup_future_usage", SetupFutureUsage);
        json.Nulls("shipping", "source");
        json.Text("statement_descriptor", StatementDescriptor);
        json.Text("statement_descriptor_suffix", StatementDescriptorSuffix);
        json.Text("status", Status);
        json.Null("transfer_data");
        json.Text("transfer_group", TransferGroup);
        json.End();
    }

    private void WriteNextAction(JsonOut json)
    {
        if (Status != "requires_action")
        {
            json.Null("next_action");
            return;
        }

        json.Begin("next_action");
        json.Text("type", "use_stripe_sdk");
        json.Begin("use_stripe_sdk");
        json.Text("type", "three_d_secure_redirect");
        json.Text("source", $"src_{Id[3..]}");
        json.End();
        json.End();
    }
}

/// <summary>Why the last attempt failed, with the payment method as it was then.</summary>
internal sealed record PaymentError(Decline Decline, string Charge, StripeObject PaymentMethod) : IWritable
{
    public void Write(JsonOut json)
    {
        json.Begin();
        if (Decline.AdviceCode is not null)
            json.Text("advice_code", Decline.AdviceCode);
        json.Text("charge", Charge);
        json.Text("code", Decline.Code);
        json.Text("decline_code", Decline.DeclineCode);
        json.Text("doc_url", StripeError.DocUrl(Decline.Code));
        json.Text("message", Decline.Message);
        if (Decline.Param is not null)
            json.Text("param", Decline.Param);
        json.Object("payment_method", PaymentMethod);
        json.Text("type", "card_error");
        json.End();
    }
}
