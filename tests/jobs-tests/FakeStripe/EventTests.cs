using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class EventTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Fact]
    public async Task Each_change_is_one_event_newest_first_with_the_request_that_caused_it()
    {
        await Stripe.SeedMemberAsync();
        var paid = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");

        var events = (await Stripe.GetAsync("v1/events")).Json.GetProperty("data").EnumerateArray().ToList();

        Assert.Equal(["payment_intent.succeeded", "charge.succeeded", "payment_intent.created"], events.Select(happened => happened.GetProperty("type").GetString()));
        Assert.All(events, happened => Assert.Equal(paid.Headers["Request-Id"], happened.GetProperty("request").GetProperty("id").GetString()));
        Assert.All(events, happened => Assert.Equal("k1", happened.GetProperty("request").GetProperty("idempotency_key").GetString()));
    }

    [Fact]
    public async Task An_event_keeps_the_object_as_it_was()
    {
        var made = await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur&metadata[plan]=old");
        await Stripe.PostAsync($"v1/payment_intents/{made.Id}", "metadata[plan]=new");
        await Stripe.PostAsync($"v1/payment_intents/{made.Id}/cancel");

        var created = (await Stripe.GetAsync("v1/events?type=payment_intent.created")).Json.GetProperty("data")[0].GetProperty("data").GetProperty("object");

        Assert.Equal("requires_payment_method", created.GetProperty("status").GetString());
        Assert.Equal("old", created.GetProperty("metadata").GetProperty("plan").GetString());
    }

    [Fact]
    public async Task Events_are_kept_for_30_days()
    {
        await Stripe.Fake.SetClockAsync(DateTimeOffset.Parse("2026-11-20T06:00:00Z"));
        await Stripe.PostAsync("v1/customers", "email=a@b.c");
        var id = (await Stripe.GetAsync("v1/events")).Ids[0];

        await Stripe.Fake.AdvanceAsync(TimeSpan.FromDays(30));
        Assert.Equal(200, (await Stripe.GetAsync($"v1/events/{id}")).Status);
        await Stripe.Fake.AdvanceAsync(TimeSpan.FromSeconds(1));

        Assert.Empty((await Stripe.GetAsync("v1/events")).Ids);
        Assert.Equal(404, (await Stripe.GetAsync($"v1/events/{id}")).Status);
    }

    [Fact]
    public async Task Events_are_filtered_by_one_type_several_or_a_group()
    {
        await Stripe.SeedMemberAsync();
        var paid = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());
        await Stripe.PostAsync("v1/refunds", $"payment_intent={paid.Id}");
        await Stripe.PostAsync("v1/payment_methods/pm_ada/detach");

        Assert.Single((await Stripe.GetAsync("v1/events?type=payment_method.detached")).Ids);
        Assert.Equal(2, (await Stripe.GetAsync("v1/events?types[]=payment_intent.succeeded&types[]=charge.refunded")).Ids.Count);
        Assert.Equal(2, (await Stripe.GetAsync("v1/events?type=charge.*")).Ids.Count);
    }

    [Fact]
    public async Task A_dispute_is_an_event_and_an_object()
    {
        await Stripe.SeedMemberAsync();
        var paid = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());

        await Stripe.Fake.ActAsync(paid.Id, "dispute");
        await Stripe.Fake.ActAsync(paid.Id, "dispute", new { status = "lost" });

        var dispute = (await Stripe.GetAsync($"v1/disputes?payment_intent={paid.Id}")).Json.GetProperty("data")[0];
        Assert.Equal("lost", dispute.GetProperty("status").GetString());
        Assert.Single((await Stripe.GetAsync("v1/events?type=charge.dispute.created")).Ids);
        Assert.Single((await Stripe.GetAsync("v1/events?type=charge.dispute.closed")).Ids);
    }

    [Fact]
    public async Task What_was_seeded_in_the_past_happened_in_the_past()
    {
        await Stripe.Fake.SetClockAsync(DateTimeOffset.Parse("2026-11-20T06:00:00Z"));
        await Stripe.PostAsync("v1/customers", "email=a@b.c");
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_1", status = "succeeded", created = "2026-11-19T06:00:00Z", succeeded_at = "2026-11-19T07:00:00Z" } } });

        var types = (await Stripe.GetAsync("v1/events")).Json.GetProperty("data").EnumerateArray().Select(happened => happened.GetProperty("type").GetString());

        Assert.Equal(["customer.created", "payment_intent.succeeded", "charge.succeeded", "payment_intent.created"], types);
    }

    [Fact]
    public async Task Seeding_a_subscription_again_changes_it_behind_our_back()
    {
        await Stripe.Fake.SeedAsync(new { prices = new[] { new { id = "price_1" } }, subscriptions = new[] { new { id = "sub_1", customer = "cus_1", price = "price_1", metadata = new { plan = "club" } } } });
        await Stripe.Fake.SeedAsync(new { subscriptions = new[] { new { id = "sub_1", status = "canceled" } } });

        var listed = await Stripe.GetAsync("v1/subscriptions?status=all");
        Assert.Equal(["sub_1"], listed.Ids);
        Assert.Equal("canceled", listed.Json.GetProperty("data")[0].GetProperty("status").GetString());
        Assert.Equal("club", listed.Json.GetProperty("data")[0].GetProperty("metadata").GetProperty("plan").GetString());
        Assert.Equal(2, (await Stripe.GetAsync("v1/events?type=customer.subscription.*")).Ids.Count);
    }
}
