using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>
/// Seeds PaymentIntents in any state, as if they had gone through their life at the moments given: charges and
/// events included, unless <c>"events": false</c>.
/// </summary>
internal static class SeedPayments
{
    public static string PaymentIntent(World world, JsonElement source)
    {
        var created = source.Moment("created") ?? world.NowSeconds;
        var status = source.Text("status") ?? "requires_payment_method";
        var intent = PaymentFlow.Add(world, new PaymentIntent
        {
            Id = source.Text("id") ?? world.Ids.New("pi_"),
            Created = created,
            Amount = source.Long("amount") ?? 1000,
            Currency = source.Text("currency") ?? "eur",
            Customer = source.Text("customer"),
            PaymentMethod = source.Text("payment_method"),
            Description = source.Text("description"),
            ReceiptEmail = source.Text("receipt_email"),
            CaptureMethod = source.Text("capture_method") ?? (status == "requires_capture" ? "manual" : "automatic_async"),
            SetupFutureUsage = source.Text("setup_future_usage"),
            RedirectsAllowed = source.Text("allow_redirects") != "never",
            Metadata = SeedBasics.Metadata(source),
            Status = source.Text("payment_method") is null ? "requires_payment_method" : "requires_confirmation",
        });

        world.Silent = source.Bool("events") == false;
        try
        {
            world.At(Moment(created), () => world.Emit("payment_intent.created", intent));
            Live(world, intent, source, status, created);
        }
        finally
        {
            world.Silent = false;
        }

        return intent.Id;
    }

    private static void Live(World world, PaymentIntent intent, JsonElement source, string status, long created)
    {
        switch (status)
        {
            case "succeeded":
                world.At(Moment(source.Moment("succeeded_at") ?? created), () => PaymentFlow.Succeed(world, intent));
                var reversed = Moment(source.Moment("reversed_at") ?? world.NowSeconds);
                if (source.Long("amount_refunded") is { } refunded)
                    world.At(reversed, () => RefundEndpoints.Add(world, world.Find<Charge>(intent.LatestCharge)!, refunded, reason: null, Metadata.Empty));
                if (source.Text("dispute") is { } dispute)
                    world.At(reversed, () => DisputeEndpoints.Move(world, world.Find<Charge>(intent.LatestCharge)!, "fraudulent", dispute));
                break;
            case "canceled":
                world.At(Moment(source.Moment("canceled_at") ?? created), () => PaymentFlow.Cancel(world, intent, source.Text("cancellation_reason")));
                break;
            case "processing":
                var fails = source.Text("settles") == "fail" ? Decline.Named(source.Text("decline") ?? "insufficient_funds") : null;
                // Without settle_after it stays in processing until /settle.
                var seconds = source.Get("settle_after")?.GetDouble() ?? TimeSpan.FromDays(3650).TotalSeconds;
                world.At(Moment(created), () => PaymentFlow.Process(world, intent, new Outcome(OutcomeKind.Processing, fails, seconds)));
                break;
            case "requires_capture":
                world.At(Moment(created), () => PaymentFlow.Attempt(world, intent, Method(world, intent), offSession: false, errorOnAction: false));
                break;
            case "requires_payment_method" when source.Text("decline") is { } decline:
                world.At(Moment(created), () => PaymentFlow.Fail(world, intent, Decline.Named(decline) ?? throw new ControlException($"unknown decline '{decline}'")));
                break;
            default:
                intent.Status = status;
                break;
        }
    }

    private static PaymentMethod Method(World world, PaymentIntent intent) =>
        world.Find<PaymentMethod>(intent.PaymentMethod) ?? TestCard.ByName["pm_card_visa"].Create(world);

    private static DateTimeOffset Moment(long seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds);
}
