namespace Jobs.Testing.FakeStripe;

/// <summary>
/// The life of a PaymentIntent: every change of state goes through here, with the charge and the events it causes.
/// </summary>
internal static class PaymentFlow
{
    /// <summary>Stores a new PaymentIntent and tells the world.</summary>
    public static PaymentIntent Add(World world, PaymentIntent intent)
    {
        world.Register(intent);
        intent.ChangedAt = intent.Created;
        world.PaymentIntents.Add(intent);
        world.PaymentIntentsByCustomer.Add(intent.Customer, intent);
        return intent;
    }

    /// <summary>One attempt to take the money; a refusal is thrown as the 402 that the caller gets.</summary>
    public static void Attempt(World world, PaymentIntent intent, PaymentMethod method, bool offSession, bool errorOnAction)
    {
        intent.PaymentMethod = method.Id;
        intent.LastPaymentError = null;
        var outcome = method.Behaviour.Next();
        switch (outcome.Kind)
        {
            case OutcomeKind.Success when intent.CaptureMethod == "manual":
                Authorize(world, intent);
                break;
            case OutcomeKind.Success:
                Succeed(world, intent);
                break;
            case OutcomeKind.Processing:
                Process(world, intent, outcome);
                break;
            case OutcomeKind.Authentication when offSession:
                throw Refuse(world, intent, Decline.AuthenticationRequired);
            case OutcomeKind.Authentication or OutcomeKind.Action when errorOnAction:
                throw Refuse(world, intent, Decline.AuthenticationNotHandled);
            case OutcomeKind.Authentication or OutcomeKind.Action:
                Change(world, intent, "requires_action");
                world.Emit("payment_intent.requires_action", intent);
                break;
            default:
                throw Refuse(world, intent, outcome.Decline!);
        }
    }

    public static void Succeed(World world, PaymentIntent intent)
    {
        var charge = world.Find<Charge>(intent.LatestCharge) is { Status: "pending" } pending ? pending : NewCharge(world, intent, "pending");
        charge.Status = "succeeded";
        charge.Captured = true;
        charge.AmountCaptured = intent.Amount;
        intent.LatestCharge = charge.Id;
        intent.AmountReceived = intent.Amount;
        intent.AmountCapturable = 0;
        intent.LastPaymentError = null;
        Change(world, intent, "succeeded");
        world.Emit("charge.succeeded", charge);
        world.Emit("payment_intent.succeeded", intent);
    }

    public static void Fail(World world, PaymentIntent intent, Decline decline)
    {
        var charge = world.Find<Charge>(intent.LatestCharge) is { Status: "pending" } pending ? pending : NewCharge(world, intent, "failed");
        charge.Status = "failed";
        charge.Decline = decline;
        intent.LatestCharge = charge.Id;
        var method = world.Find<PaymentMethod>(intent.PaymentMethod) ?? TestCard.ByName["pm_card_visa"].Create(world);
        intent.LastPaymentError = new PaymentError(decline, charge.Id, method.Snapshot());
        // The next attempt has to name a payment method again.
        intent.PaymentMethod = null;
        Change(world, intent, "requires_payment_method");
        world.Emit("charge.failed", charge);
        world.Emit("payment_intent.payment_failed", intent);
    }

    public static void Cancel(World world, PaymentIntent intent, string? reason)
    {
        intent.CanceledAt = world.NowSeconds;
        intent.CancellationReason = reason;
        intent.AmountCapturable = 0;
        Change(world, intent, "canceled");
        world.Emit("payment_intent.canceled", intent);
    }

    public static void Capture(World world, PaymentIntent intent, long amount)
    {
        var charge = world.Find<Charge>(intent.LatestCharge)!;
        charge.Captured = true;
        charge.AmountCaptured = amount;
        charge.AmountRefunded = charge.Amount - amount;
        intent.AmountReceived = amount;
        intent.AmountCapturable = 0;
        Change(world, intent, "succeeded");
        world.Emit("charge.captured", charge);
        world.Emit("payment_intent.succeeded", intent);
    }

    /// <summary>Ends a processing payment now, whichever way was planned or is asked for.</summary>
    public static void Settle(World world, PaymentIntent intent, Decline? decline)
    {
        if (decline is null)
            Succeed(world, intent);
        else
            Fail(world, intent, decline);
    }

    public static void Process(World world, PaymentIntent intent, Outcome outcome)
    {
        intent.LatestCharge = NewCharge(world, intent, "pending").Id;
        intent.SettlesAs = outcome.Decline;
        Change(world, intent, "processing");
        world.Emit("payment_intent.processing", intent);
        var attempt = intent.Attempt;
        world.Schedule(TimeSpan.FromSeconds(outcome.Seconds), () =>
        {
            if (intent.Attempt == attempt)
                Settle(world, intent, outcome.Decline);
        });
    }

    private static void Authorize(World world, PaymentIntent intent)
    {
        var charge = NewCharge(world, intent, "succeeded");
        intent.LatestCharge = charge.Id;
        intent.AmountCapturable = intent.Amount;
        Change(world, intent, "requires_capture");
        world.Emit("charge.succeeded", charge);
        world.Emit("payment_intent.amount_capturable_updated", intent);
    }

    private static StripeError Refuse(World world, PaymentIntent intent, Decline decline)
    {
        var method = world.Find<PaymentMethod>(intent.PaymentMethod);
        Fail(world, intent, decline);
        return new StripeError(402, "card_error", decline.Code, decline.Message, decline.Param)
        {
            DeclineCode = decline.DeclineCode,
            AdviceCode = decline.AdviceCode,
            Charge = intent.LatestCharge,
            PaymentIntent = intent,
            PaymentMethod = method,
            Saved = true,
        };
    }

    private static void Change(World world, PaymentIntent intent, string status)
    {
        intent.Status = status;
        intent.Attempt++;
        intent.ChangedAt = world.NowSeconds;
    }

    private static Charge NewCharge(World world, PaymentIntent intent, string status)
    {
        var charge = world.Register(new Charge
        {
            Id = world.Ids.New("ch_"),
            Created = world.NowSeconds,
            Amount = intent.Amount,
            Currency = intent.Currency,
            Status = status,
            PaymentIntent = intent.Id,
            Customer = intent.Customer,
            Description = intent.Description,
            PaymentMethod = intent.PaymentMethod,
            ReceiptEmail = intent.ReceiptEmail,
            Metadata = intent.Metadata,
        });
        world.Charges.Add(charge);
        world.ChargesByCustomer.Add(charge.Customer, charge);
        world.ChargesByPaymentIntent.Add(charge.PaymentIntent, charge);
        return charge;
    }
}
