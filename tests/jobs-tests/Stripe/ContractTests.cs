using Jobs.Stripe;
using Jobs.Tests.OpenApi;
using Xunit;

namespace Jobs.Tests.Stripe;

/// <summary>Every request that the client can send, held against Stripe's own description of its API.</summary>
public sealed class ContractTests
{
    private static readonly DateRangeOptions Window = new()
    {
        GreaterThan = DateTimeOffset.UnixEpoch,
        GreaterThanOrEqual = DateTimeOffset.UnixEpoch,
        LessThan = DateTimeOffset.UnixEpoch,
        LessThanOrEqual = DateTimeOffset.UnixEpoch,
    };

    private static readonly PaymentIntentCreateOptions Everything = new()
    {
        Amount = 1250,
        Currency = "eur",
        Customer = "cus_1",
        PaymentMethod = "pm_1",
        Confirm = true,
        OffSession = true,
        Description = "November",
        Metadata = [new("payment_id", "7")],
        ReceiptEmail = "a@example.org",
        StatementDescriptorSuffix = "NOV",
        SetupFutureUsage = "off_session",
        ReturnUrl = "https://example.org/",
    };

    private static readonly Dictionary<string, Func<StripeClient, Task>> Requests = new(StringComparer.Ordinal)
    {
        ["create a PaymentIntent"] = c => c.PaymentIntents.CreateAsync(Everything, IdempotencyKey.New()),
        ["get a PaymentIntent"] = c => c.PaymentIntents.GetAsync("pi_1", ["latest_charge", "customer"]),
        ["confirm a PaymentIntent"] = c => c.PaymentIntents.ConfirmAsync(
            "pi_1",
            new PaymentIntentConfirmOptions { PaymentMethod = "pm_1", OffSession = true, ReceiptEmail = "a@example.org", ReturnUrl = "https://example.org/", SetupFutureUsage = "off_session" },
            IdempotencyKey.New()),
        ["cancel a PaymentIntent"] = c => c.PaymentIntents.CancelAsync("pi_1", new PaymentIntentCancelOptions { CancellationReason = "abandoned" }, IdempotencyKey.New()),
        ["list PaymentIntents"] = c => c.PaymentIntents.ListAsync(new() { Customer = "cus_1", Created = Window, StartingAfter = "pi_0", Expand = ["data.customer"] }).CountAsync().AsTask(),
        ["get a customer"] = c => c.Customers.GetAsync("cus_1"),
        ["get a payment method"] = c => c.PaymentMethods.GetAsync("pm_1"),
        ["list a customer's payment methods"] = c => c.PaymentMethods.ListForCustomerAsync("cus_1", new() { Type = "card" }).CountAsync().AsTask(),
        ["get an event"] = c => c.Events.GetAsync("evt_1"),
        ["list events of a type"] = c => c.Events.ListAsync(new() { Type = "payment_intent.*", Created = Window }).CountAsync().AsTask(),
        ["list events of types"] = c => c.Events.ListAsync(new() { Types = ["payment_intent.succeeded", "payment_intent.canceled"] }).CountAsync().AsTask(),
        ["list what a PaymentIntent paid"] = c => c.InvoicePayments.ListAsync("pi_1").CountAsync().AsTask(),
        ["list invoice payments"] = c => c.InvoicePayments.ListAsync(new InvoicePaymentListOptions { Invoice = "in_1", Status = "paid", Created = Window }).CountAsync().AsTask(),
        ["get an invoice"] = c => c.Invoices.GetAsync("in_1"),
        ["get a Checkout Session"] = c => c.CheckoutSessions.GetAsync("cs_1"),
        ["expire a Checkout Session"] = c => c.CheckoutSessions.ExpireAsync("cs_1", IdempotencyKey.New()),
        ["list Checkout Sessions"] = c => c.CheckoutSessions.ListAsync(new() { PaymentIntent = "pi_1", Customer = "cus_1", Status = "open", Created = Window }).CountAsync().AsTask(),
        ["get a subscription"] = c => c.Subscriptions.GetAsync("sub_1"),
        ["list subscriptions"] = c => c.Subscriptions.ListAsync(new() { Status = "all", Customer = "cus_1", Created = Window }).CountAsync().AsTask(),
        ["list refunds"] = c => c.Refunds.ListAsync(new() { PaymentIntent = "pi_1", Created = Window }).CountAsync().AsTask(),
        ["list disputes"] = c => c.Disputes.ListAsync(new() { PaymentIntent = "pi_1", Created = Window }).CountAsync().AsTask(),
    };

    public static TheoryData<string> Names => [.. Requests.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Stripe_knows_every_request(string name)
    {
        var description = StripeApiDescription.FoundOrSkip();
        using var stripe = new StubStripe(StubStripe.Error(404, "invalid_request_error", "resource_missing"));
        using var client = stripe.Client();
        await Assert.ThrowsAsync<StripeException>(() => Requests[name](client));
        var sent = Assert.Single(stripe.Requests);
        var parameters = FormBody.Parse(sent.Body ?? sent.Query).Pairs().ToList();
        Assert.Empty(description.CheckRequest(sent.Method, sent.Path, parameters));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Every_request_carries_its_headers_and_nothing_of_others(string name)
    {
        using var stripe = new StubStripe(StubStripe.Error(404, "invalid_request_error", "resource_missing"));
        using var client = stripe.Client();
        await Assert.ThrowsAsync<StripeException>(() => Requests[name](client));
        var sent = Assert.Single(stripe.Requests);
        Assert.Equal("Bearer sk_test_4eC39HqLyjWDarjtT1zdp7dc", sent.Headers["Authorization"]);
        Assert.Equal(StripeClient.ApiVersion, sent.Headers["Stripe-Version"]);
        Assert.Equal("jobs-tests/1.0", sent.Headers["User-Agent"]);
        string[] expected = ["Authorization", "Stripe-Version", "User-Agent"];
        if (sent.Method == "POST")
        {
            expected = [.. expected, "Idempotency-Key", "Content-Type", "Content-Length"];
            Assert.Equal("application/x-www-form-urlencoded", sent.Headers["Content-Type"]);
            Assert.Empty(sent.Query);
        }

        Assert.Empty(sent.Headers.Keys.Except(expected, StringComparer.OrdinalIgnoreCase));
    }

    [Fact]
    public void Every_public_call_of_the_services_is_among_the_requests()
    {
        Type[] services = [typeof(PaymentIntentService), typeof(CustomerService), typeof(PaymentMethodService), typeof(EventService), typeof(InvoicePaymentService), typeof(InvoiceService), typeof(CheckoutSessionService), typeof(SubscriptionService), typeof(RefundService), typeof(DisputeService)];
        var calls = services.SelectMany(s => s.GetMethods().Where(m => m.DeclaringType == s).Select(m => $"{s.Name}.{m.Name}")).Distinct(StringComparer.Ordinal).Count();
        // Two of the requests show a second form of the same call.
        Assert.Equal(Requests.Count - 2, calls);
    }
}
