namespace Jobs.Testing.FakeStripe;

internal sealed class SubscriptionItem : StripeObject
{
    public required Price Price { get; init; }
    public required string Subscription { get; init; }
    public required long PeriodStart { get; init; }
    public required long PeriodEnd { get; init; }
    public long Quantity { get; init; } = 1;

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "subscription_item");
        json.Null("billing_thresholds");
        json.Number("created", Created);
        if (!json.BeforeBasil)
        {
            json.Number("current_period_end", PeriodEnd);
            json.Number("current_period_start", PeriodStart);
        }

        json.Null("current_trial");
        json.EmptyArray("discounts");
        Metadata.Write(json);
        Price.WriteAsPlan(json);
        json.Object("price", Price);
        json.Number("quantity", Quantity);
        json.Text("subscription", Subscription);
        json.EmptyArray("tax_rates");
        json.End();
    }
}

internal sealed class Subscription : StripeObject
{
    public required string Customer { get; init; }
    public required string Status { get; set; }
    public required string Currency { get; init; }
    public required IReadOnlyList<SubscriptionItem> Items { get; init; }
    public bool CancelAtPeriodEnd { get; set; }
    public long? CancelAt { get; set; }
    public long? CanceledAt { get; set; }
    public long? EndedAt { get; set; }
    public long StartDate { get; init; }
    public long? TrialStart { get; init; }
    public long? TrialEnd { get; init; }
    public string? DefaultPaymentMethod { get; set; }
    public string? LatestInvoice { get; init; }
    public string? PauseBehavior { get; set; }

    public override string? LockCustomer => Customer;

    /// <summary>What lists filter by: the earliest end among the items.</summary>
    public long PeriodEnd => Items.Min(item => item.PeriodEnd);

    public long PeriodStart => Items.Min(item => item.PeriodStart);

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "subscription");
        json.Nulls("application", "application_fee_percent");
        json.Begin("automatic_tax");
        json.Null("disabled_reason");
        json.Flag("enabled", value: false);
        json.Null("liability");
        json.End();
        json.Number("billing_cycle_anchor", StartDate);
        json.Null("billing_cycle_anchor_config");
        json.Begin("billing_mode");
        json.Null("flexible");
        json.Text("type", "classic");
        json.End();
        json.EmptyArray("billing_schedules");
        json.Null("billing_thresholds");
        json.Number("cancel_at", CancelAt);
        json.Flag("cancel_at_period_end", CancelAtPeriodEnd);
        json.Number("canceled_at", CanceledAt);
        json.Begin("cancellation_details");
        json.Nulls("comment", "feedback", "feedback_option");
        json.Text("reason", CanceledAt is null ? null : "cancellation_requested");
        json.End();
        json.Text("collection_method", "charge_automatically");
        json.Number("created", Created);
        json.Text("currency", Currency);
        if (json.BeforeBasil)
        {
            json.Number("current_period_end", PeriodEnd);
            json.Number("current_period_start", PeriodStart);
        }

        json.Reference("customer", Customer);
        json.Nulls("customer_account", "days_until_due");
        json.Reference("default_payment_method", DefaultPaymentMethod);
        json.Null("default_source");
        json.EmptyArray("default_tax_rates");
        json.Null("description");
        json.EmptyArray("discounts");
        json.Number("ended_at", EndedAt);
        json.Begin("invoice_settings");
        json.Nulls("account_tax_ids", "custom_fields", "description", "footer");
        json.Begin("issuer");
        json.Text("type", "self");
        json.End();
        json.End();
        json.List("items", $"/v1/subscription_items?subscription={Id}", Items);
        json.Reference("latest_invoice", LatestInvoice);
        json.Flag("livemode", json.World.Config.Live);
        json.Null("managed_payments");
        Metadata.Write(json);
        json.Nulls("next_pending_invoice_item_invoice", "on_behalf_of");
        WritePause(json);
        json.Begin("payment_settings");
        json.Nulls("payment_method_options", "payment_method_types");
        json.Text("save_default_payment_method", "off");
        json.End();
        json.Nulls("pending_invoice_item_interval", "pending_setup_intent", "pending_update", "schedule");
        json.Number("start_date", StartDate);
        json.Text("status", Status);
        json.Nulls("test_clock", "transfer_data");
        json.Number("trial_end", TrialEnd);
        json.Null("trial_settings");
        json.Number("trial_start", TrialStart);
        json.End();
    }

    private void WritePause(JsonOut json)
    {
        if (PauseBehavior is null)
        {
            json.Null("pause_collection");
            return;
        }

        json.Begin("pause_collection");
        json.Text("behavior", PauseBehavior);
        json.Null("resumes_at");
        json.End();
    }
}
