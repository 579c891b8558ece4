namespace Jobs.Testing.FakeStripe;

internal static class RefundEndpoints
{
    public static IEnumerable<Endpoint> All()
    {
        yield return new("POST", "/v1/refunds", "refund",
            new Allow().Text("payment_intent").Text("charge").Int("amount").OneOf("reason", "duplicate", "fraudulent", "requested_by_customer")
                .Metadata().Texts("expand").Ignored("currency", "customer", "instructions_email", "origin", "refund_application_fee", "reverse_transfer"), Create);
        yield return new("GET", "/v1/refunds", "list:refund", Allow.List().Text("payment_intent").Text("charge"), List);
        yield return new("GET", "/v1/refunds/{id}", "refund", Allow.Retrieve(),
            call => call.World.Find<Refund>(call.Id) ?? throw StripeError.Missing("refund", call.Id, "id", 404));
    }

    public static Refund Add(World world, Charge charge, long amount, string? reason, Metadata metadata, string status = "succeeded")
    {
        var refund = world.Register(new Refund
        {
            Id = world.Ids.New("re_"),
            Created = world.NowSeconds,
            Amount = amount,
            Currency = charge.Currency,
            Charge = charge.Id,
            PaymentIntent = charge.PaymentIntent,
            Reason = reason,
            Metadata = metadata,
            Status = status,
        });
        world.Refunds.Add(refund);
        world.RefundsByCharge.Add(charge.Id, refund);
        charge.AmountRefunded += amount;
        world.Emit("refund.created", refund);
        world.Emit("charge.refunded", charge);
        return refund;
    }

    /// <summary>Banks refuse refunds, also weeks later: the amount is the charge's again.</summary>
    public static Refund Move(World world, Refund refund, string status)
    {
        var returns = status is "failed" or "canceled";
        if (returns && refund.Status is not ("failed" or "canceled"))
            world.Find<Charge>(refund.Charge)!.AmountRefunded -= refund.Amount;
        refund.Status = status;
        world.Emit(status == "failed" ? "refund.failed" : "refund.updated", refund);
        world.Emit("charge.refund.updated", refund);
        return refund;
    }

    private static Refund Create(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var charge = FindCharge(call);
        if (charge.Disputed)
            throw StripeError.Invalid($"Charge {charge.Id} has been charged back; cannot issue a refund.", param: null, "charge_disputed");
        var left = charge.AmountCaptured - charge.AmountRefunded;
        if (left <= 0)
            throw StripeError.Invalid($"Charge {charge.Id} has already been refunded.", param: null, "charge_already_refunded");
        var amount = parameters.Int("amount") ?? left;
        if (amount < 1)
            throw StripeError.Invalid("This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer");
        if (amount > left)
            throw StripeError.Invalid($"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", "amount");
        return Add(world, charge, amount, parameters.Text("reason"), Metadata.Empty.With(parameters["metadata"]));
    }

    private static Charge FindCharge(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        if (parameters.Text("charge") is { } id)
            return world.Find<Charge>(id) ?? throw StripeError.Missing("charge", id, "charge", 404);
        if (parameters.Text("payment_intent") is not { } intentId)
            throw StripeError.Invalid("One of the following params should be provided for this request: payment_intent or charge.");
        var intent = world.Find<PaymentIntent>(intentId) ?? throw StripeError.Missing("payment_intent", intentId, "payment_intent", 404);
        return intent.Status == "succeeded" && world.Find<Charge>(intent.LatestCharge) is { } charge
            ? charge
            : throw StripeError.Invalid($"This PaymentIntent ({intentId}) does not have a successful charge to refund.", "payment_intent");
    }

    private static Page List(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var intent = parameters.Text("payment_intent");
        var charge = parameters.Text("charge") ?? (intent is null ? null : world.Find<PaymentIntent>(intent)?.LatestCharge ?? "");
        return Page.Of(call, charge is null ? world.Refunds : world.RefundsByCharge[charge], "refund", "/v1/refunds",
            refund => intent is null || refund.PaymentIntent == intent);
    }
}
