using System.Text.Json;

namespace Jobs.Testing.FakeStripe;

/// <summary>What customers, banks and Stripe itself do to objects without any request of ours.</summary>
internal static class ControlPayments
{
    public static IWritable Move(World world, string id, string action, JsonElement body)
    {
        var intent = world.Find<PaymentIntent>(id) ?? throw new ControlException($"no PaymentIntent '{id}'");
        switch (action)
        {
            case "pay":
                intent.PaymentMethod = body.Text("payment_method") ?? intent.PaymentMethod ?? TestCard.ByName["pm_card_visa"].Create(world).Id;
                Require(intent, "requires_payment_method", "requires_confirmation", "requires_action", "processing");
                PaymentFlow.Succeed(world, intent);
                return intent;
            case "fail":
                Require(intent, "requires_payment_method", "requires_confirmation", "requires_action", "processing");
                PaymentFlow.Fail(world, intent, Named(body.Text("decline")));
                return intent;
            case "settle":
                Require(intent, "processing");
                var decline = body.Text("outcome") switch
                {
                    "succeed" => null,
                    "fail" => Named(body.Text("decline")),
                    _ => intent.SettlesAs,
                };
                PaymentFlow.Settle(world, intent, decline);
                return intent;
            case "cancel":
                Require(intent, "requires_payment_method", "requires_confirmation", "requires_action", "requires_capture", "processing");
                PaymentFlow.Cancel(world, intent, body.Text("reason") ?? "automatic");
                return intent;
            case "dispute":
                Require(intent, "succeeded");
                var charge = world.Find<Charge>(intent.LatestCharge)!;
                return DisputeEndpoints.Move(world, charge, body.Text("reason") ?? "fraudulent", body.Text("status") ?? "needs_response");
            case "refund":
                Require(intent, "succeeded");
                var refunded = world.Find<Charge>(intent.LatestCharge)!;
                return RefundEndpoints.Add(world, refunded, body.Long("amount") ?? refunded.Amount - refunded.AmountRefunded, body.Text("reason"), Metadata.Empty, body.Text("status") ?? "succeeded");
            default:
                throw new ControlException($"unknown action '{action}'; known: pay, fail, settle, cancel, dispute, refund");
        }
    }

    public static Refund MoveRefund(World world, string id, JsonElement body) =>
        RefundEndpoints.Move(world, world.Find<Refund>(id) ?? throw new ControlException($"no refund '{id}'"), body.Text("status") ?? "failed");

    public static PaymentMethod Change(World world, string id, JsonElement body)
    {
        var method = world.Find<PaymentMethod>(id) ?? throw new ControlException($"no PaymentMethod '{id}'");
        if (body.Text("behaviour") is { } behaviour)
            method.Behaviour = new Behaviour(behaviour);
        if (body.Bool("detached") == true && method.Customer is not null)
            PaymentMethodEndpoints.DetachFrom(world, method);
        return method;
    }

    private static Decline Named(string? decline) =>
        Decline.Named(decline ?? "generic_decline") ?? throw new ControlException($"unknown decline '{decline}'");

    private static void Require(PaymentIntent intent, params string[] statuses)
    {
        if (!statuses.Contains(intent.Status, StringComparer.Ordinal))
            throw new ControlException($"{intent.Id} is {intent.Status}, not one of {string.Join(", ", statuses)}");
    }
}
