using System.Text.Json;
using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class ExpandAndShapeTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Fact]
    public async Task References_are_ids_unless_expanded()
    {
        await Stripe.SeedMemberAsync();
        var made = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());
        Assert.Equal("cus_ada", made.Json.GetProperty("customer").GetString());

        var read = await Stripe.GetAsync($"v1/payment_intents/{made.Id}?expand[]=latest_charge.customer&expand[]=payment_method");
        Assert.Equal("cus_ada", read.Json.GetProperty("latest_charge").GetProperty("customer").GetProperty("id").GetString());
        Assert.Equal("pm_ada", read.Json.GetProperty("payment_method").GetProperty("id").GetString());
        Assert.Equal(JsonValueKind.String, read.Json.GetProperty("customer").ValueKind);

        var listed = await Stripe.GetAsync("v1/payment_intents?expand[]=data.customer");
        Assert.Equal("customer", listed.Json.GetProperty("data")[0].GetProperty("customer").GetProperty("object").GetString());
    }

    [Theory]
    [InlineData("v1/payment_intents?expand[]=customer")]
    [InlineData("v1/payment_intents?expand[]=data.amount")]
    [InlineData("v1/payment_intents?expand[]=data.latest_charge.payment_intent.customer.subscriptions")]
    [InlineData("v1/customers?expand[]=data.invoice")]
    public async Task What_cannot_be_expanded_is_a_400(string path) => Assert.Equal(400, (await Stripe.GetAsync(path)).Status);

    [Fact]
    public async Task A_subscriptions_period_is_on_its_items_and_an_invoices_payments_are_a_list()
    {
        await SeedBillingAsync();

        var subscription = (await Stripe.GetAsync("v1/subscriptions/sub_1")).Json;
        Assert.False(subscription.TryGetProperty("current_period_end", out _));
        Assert.Equal(1_795_000_000, subscription.GetProperty("items").GetProperty("data")[0].GetProperty("current_period_end").GetInt64());

        var invoice = (await Stripe.GetAsync("v1/invoices/in_1?expand[]=payments")).Json;
        Assert.False(invoice.TryGetProperty("payment_intent", out _));
        Assert.Equal("pi_1", invoice.GetProperty("payments").GetProperty("data")[0].GetProperty("payment").GetProperty("payment_intent").GetString());
        Assert.Equal("sub_1", invoice.GetProperty("parent").GetProperty("subscription_details").GetProperty("subscription").GetString());

        var link = await Stripe.GetAsync("v1/invoice_payments?payment[type]=payment_intent&payment[payment_intent]=pi_1&expand[]=data.invoice");
        Assert.Equal("in_1", link.Json.GetProperty("data")[0].GetProperty("invoice").GetProperty("id").GetString());
        Assert.False((await Stripe.GetAsync("v1/payment_intents/pi_1")).Json.TryGetProperty("invoice", out _));
    }

    [Fact]
    public async Task Events_are_rendered_in_the_accounts_version()
    {
        await Stripe.Fake.ConfigureAsync(new { event_api_version = "2024-06-20" });
        await SeedBillingAsync();

        var happened = (await Stripe.GetAsync("v1/events?type=customer.subscription.created")).Json.GetProperty("data")[0];
        await Stripe.Fake.ConfigureAsync(new { event_api_version = "2026-10-28.endive" });

        Assert.Equal("2024-06-20", happened.GetProperty("api_version").GetString());
        Assert.Equal(1_795_000_000, happened.GetProperty("data").GetProperty("object").GetProperty("current_period_end").GetInt64());
    }

    [Fact]
    public async Task Search_learns_late_and_flaps()
    {
        await Stripe.Fake.SetClockAsync(DateTimeOffset.FromUnixTimeSeconds(1_795_000_000));
        await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur&metadata[payment_id]=7");
        Assert.Equal(0, await FoundAsync());

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromSeconds(25));
        Assert.Equal(1, await FoundAsync() + await FoundAsync());

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromSeconds(25));
        Assert.Equal(2, await FoundAsync() + await FoundAsync());
        Assert.Equal(400, (await Stripe.GetAsync("v1/payment_intents/search?query=description:'x'")).Status);
        Assert.Equal("parameter_missing", (await Stripe.GetAsync("v1/payment_intents/search")).ErrorText("code"));
    }

    [Fact]
    public async Task Search_has_its_own_pager()
    {
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_{n}", repeat = 3, created = 1_795_000_000, customer = "cus_1" } } });

        var first = await Stripe.GetAsync("v1/payment_intents/search?limit=2&query=customer:'cus_1' AND amount>=1000");
        var second = await Stripe.GetAsync($"v1/payment_intents/search?limit=2&query=customer:'cus_1' AND amount>=1000&page={first.Json.GetProperty("next_page").GetString()}");

        Assert.Equal("search_result", first.Json.GetProperty("object").GetString());
        Assert.Equal(["pi_3", "pi_2", "pi_1"], first.Ids.Concat(second.Ids));
        Assert.False(second.HasMore);
    }

    private async Task<int> FoundAsync() => (await Stripe.GetAsync("v1/payment_intents/search?query=metadata['payment_id']:'7'")).Ids.Count;

    private async Task SeedBillingAsync() => await Stripe.Fake.SeedAsync(new
    {
        prices = new[] { new { id = "price_1" } },
        payment_intents = new[] { new { id = "pi_1", status = "succeeded" } },
        subscriptions = new[] { new { id = "sub_1", customer = "cus_1", price = "price_1", current_period_end = 1_795_000_000 } },
        invoices = new[] { new { id = "in_1", subscription = "sub_1", payment_intent = "pi_1" } },
    });
}
