namespace Jobs.Testing.FakeStripe;

internal sealed class Invoice : StripeObject
{
    public required long AmountDue { get; init; }
    public required string Currency { get; init; }
    public required string Status { get; set; }
    public string? Customer { get; init; }
    public string? Subscription { get; init; }
    public Metadata SubscriptionMetadata { get; init; } = Metadata.Empty;
    public string BillingReason { get; init; } = "subscription_cycle";
    public long AmountPaid { get; set; }
    public long? DueDate { get; init; }
    public long? PaidAt { get; set; }
    public required long PeriodStart { get; init; }
    public required long PeriodEnd { get; init; }
    public string? Number { get; init; }

    public override string? LockCustomer => Customer ?? Id;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "invoice");
        json.Nulls("account_country", "account_name", "account_tax_ids");
        json.Number("amount_due", AmountDue);
        json.Number("amount_overpaid", 0L);
        json.Number("amount_paid", AmountPaid);
        json.Number("amount_remaining", AmountDue - AmountPaid);
        json.Number("amount_shipping", 0L);
        json.Null("application");
        json.Number("attempt_count", Status is "draft" ? 0L : 1L);
        json.Flag("attempted", Status is not "draft");
        json.Flag("auto_advance", value: false);
        json.Begin("automatic_tax");
        json.Null("disabled_reason");
        json.Flag("enabled", value: false);
        json.Nulls("liability", "provider", "status");
        json.End();
        json.Null("automatically_finalizes_at");
        json.Text("billing_reason", BillingReason);
        json.Text("collection_method", "charge_automatically");
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.Null("custom_fields");
        json.Reference("customer", Customer);
        json.Nulls("customer_account", "customer_address");
        var customer = json.World.Find<Customer>(Customer);
        json.Text("customer_email", customer?.Email);
        json.Text("customer_name", customer?.Name);
        json.Nulls("customer_phone", "customer_shipping");
        json.Text("customer_tax_exempt", "none");
        json.EmptyArray("customer_tax_ids");
        json.Nulls("default_payment_method", "default_source");
        json.EmptyArray("default_tax_rates");
        json.Null("description");
        json.EmptyArray("discounts");
        json.Number("due_date", DueDate);
        json.Number("effective_at", Status is "draft" ? null : Created);
        json.Nulls("ending_balance", "footer", "from_invoice");
        json.Begin("issuer");
        json.Text("type", "self");
        json.End();
        json.Nulls("last_finalization_error", "latest_revision");
        json.List("lines", $"/v1/invoices/{Id}/lines", []);
        json.Flag("livemode", json.World.Config.Live);
        Metadata.Write(json);
        json.Null("next_payment_attempt");
        json.Text("number", Number);
        json.Null("on_behalf_of");
        WriteParent(json);
        WritePayments(json);
        json.Begin("payment_settings");
        json.Nulls("default_mandate", "payment_method_options", "payment_method_types");
        json.End();
        json.Number("period_end", PeriodEnd);
        json.Number("period_start", PeriodStart);
        json.Number("post_payment_credit_notes_amount", 0L);
        json.Number("pre_payment_credit_notes_amount", 0L);
        json.Nulls("receipt_number", "rendering", "shipping_cost", "shipping_details");
        json.Number("starting_balance", 0L);
        json.Null("statement_descriptor");
        json.Text("status", Status);
        json.Begin("status_transitions");
        json.Number("finalized_at", Status is "draft" ? null : Created);
        json.Null("marked_uncollectible_at");
        json.Number("paid_at", PaidAt);
        json.Null("voided_at");
        json.End();
        json.Number("subtotal", AmountDue);
        json.Number("subtotal_excluding_tax", AmountDue);
        json.Null("test_clock");
        json.Number("total", AmountDue);
        json.EmptyArray("total_discount_amounts");
        json.Number("total_excluding_tax", AmountDue);
        json.EmptyArray("total_pretax_credit_amounts");
        json.EmptyArray("total_taxes");
        json.Null("webhooks_delivered_at");
        json.End();
    }

    public IEnumerable<InvoicePayment> Payments(World world)
    {
        var payments = world.InvoicePaymentsByInvoice[Id];
        for (var i = payments.Count - 1; i >= 0; i--)
            yield return payments[i];
    }

    private void WriteParent(JsonOut json)
    {
        if (Subscription is null)
        {
            json.Null("parent");
            return;
        }

        json.Begin("parent");
        json.Null("quote_details");
        json.Begin("subscription_details");
        SubscriptionMetadata.Write(json);
        json.Reference("subscription", Subscription);
        json.End();
        json.Text("type", "subscription_details");
        json.End();
    }

    /// <summary>Payments are a list, shown when expanded; before 2025-03-31 they were three fields.</summary>
    private void WritePayments(JsonOut json)
    {
        if (json.BeforeBasil)
        {
            json.Flag("paid", Status == "paid");
            json.Text("payment_intent", Payments(json.World).FirstOrDefault()?.PaymentIntent);
            json.Text("subscription", Subscription);
        }
        else if (json.Expands("payments"))
        {
            json.List("payments", $"/v1/invoice_payments?invoice={Id}", Payments(json.World));
        }
    }
}
