namespace Jobs.Testing.FakeStripe;

internal sealed class Dispute : StripeObject
{
    public required long Amount { get; init; }
    public required string Currency { get; init; }
    public required string Charge { get; init; }
    public required string PaymentIntent { get; init; }
    public required string Reason { get; init; }
    public required string Status { get; set; }

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "dispute");
        json.Number("amount", Amount);
        json.EmptyArray("balance_transactions");
        json.Reference("charge", Charge);
        json.Number("created", Created);
        json.Text("currency", Currency);
        json.EmptyArray("enhanced_eligibility_types");
        json.Begin("evidence");
        json.Nulls(
            "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure", "cancellation_rebuttal",
            "customer_communication", "customer_email_address", "customer_name", "customer_purchase_ip", "customer_signature",
            "duplicate_charge_documentation", "duplicate_charge_explanation", "duplicate_charge_id");
        json.Begin("enhanced_evidence");
        json.End();
        json.Nulls(
            "product_description", "receipt", "refund_policy", "refund_policy_disclosure", "refund_refusal_explanation", "service_date",
            "service_documentation", "shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation",
            "shipping_tracking_number", "uncategorized_file", "uncategorized_text");
        json.End();
        json.Begin("evidence_details");
        json.Number("due_by", Created + (7 * 86_400));
        json.Begin("enhanced_eligibility");
        json.End();
        json.Flag("has_evidence", value: false);
        json.Flag("past_due", value: false);
        json.Number("submission_count", 0L);
        json.Text("submission_method", "not_submitted");
        json.End();
        json.Null("intended_submission_method");
        json.Flag("is_charge_refundable", value: false);
        json.Flag("livemode", json.World.Config.Live);
        Metadata.Write(json);
        json.Reference("payment_intent", PaymentIntent);
        json.Text("reason", Reason);
        json.Text("status", Status);
        json.End();
    }
}

internal static class DisputeEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/disputes", "list:dispute", Allow.List().Text("payment_intent").Text("charge"), List);
        yield return new("GET", "/v1/disputes/{id}", "dispute", Allow.Retrieve(),
            call => call.World.Find<Dispute>(call.Id) ?? throw StripeError.Missing("dispute", call.Id, "id", 404));
    }

    /// <summary>Opens the dispute of a charge, or moves the one it has to <paramref name="status"/>.</summary>
    public static Dispute Move(World world, Charge charge, string reason, string status)
    {
        for (var i = world.Disputes.Count - 1; i >= 0; i--)
        {
            if (world.Disputes[i] is { } open && open.Charge == charge.Id)
            {
                open.Status = status;
                world.Emit(status is "won" or "lost" ? "charge.dispute.closed" : "charge.dispute.updated", open);
                return open;
            }
        }

        var dispute = world.Register(new Dispute
        {
            Id = world.Ids.New("du_"),
            Created = world.NowSeconds,
            Amount = charge.Amount,
            Currency = charge.Currency,
            Charge = charge.Id,
            PaymentIntent = charge.PaymentIntent,
            Reason = reason,
            Status = status,
        });
        world.Disputes.Add(dispute);
        charge.Disputed = true;
        world.Emit("charge.dispute.created", dispute);
        if (status is "won" or "lost")
            world.Emit("charge.dispute.closed", dispute);
        return dispute;
    }

    private static Page List(Call call)
    {
        var (intent, charge) = (call.Parameters.Text("payment_intent"), call.Parameters.Text("charge"));
        return Page.Of(call, call.World.Disputes, "dispute", "/v1/disputes",
            dispute => (intent is null || dispute.PaymentIntent == intent) && (charge is null || dispute.Charge == charge));
    }
}
