using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class ListTests(Conversation stripe) : FakeStripeTest(stripe)
{
    private const long Noon = 1_795_003_200;

    [Fact]
    public async Task Pages_are_newest_first_complete_and_exact_even_within_one_second()
    {
        await SeedAsync(200, step: 0);

        var first = await Stripe.GetAsync("v1/payment_intents?limit=100");
        var second = await Stripe.GetAsync($"v1/payment_intents?limit=100&starting_after={first.Ids[^1]}");

        Assert.True(first.HasMore);
        Assert.False(second.HasMore);
        Assert.Equal(Enumerable.Range(1, 200).Reverse().Select(n => $"pi_{n}"), first.Ids.Concat(second.Ids));
        Assert.Equal(10, (await Stripe.GetAsync("v1/payment_intents")).Ids.Count);
    }

    [Fact]
    public async Task New_objects_do_not_shift_the_pages_that_follow()
    {
        await SeedAsync(30, step: 1);
        var first = await Stripe.GetAsync("v1/payment_intents?limit=10");

        await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur");
        var second = await Stripe.GetAsync($"v1/payment_intents?limit=10&starting_after={first.Ids[^1]}");

        Assert.Equal("pi_20", second.Ids[0]);
    }

    [Fact]
    public async Task A_cursor_stays_good_when_its_object_no_longer_matches()
    {
        await Stripe.Fake.SeedAsync(new
        {
            customers = new[] { new { id = "cus_1" } },
            prices = new[] { new { id = "price_1" } },
            subscriptions = Enumerable.Range(1, 5).Select(n => new { id = $"sub_{n}", customer = "cus_1", price = "price_1", created = Noon + n }),
        });
        var first = await Stripe.GetAsync("v1/subscriptions?limit=2");
        await Stripe.DeleteAsync($"v1/subscriptions/{first.Ids[^1]}");

        var second = await Stripe.GetAsync($"v1/subscriptions?limit=2&starting_after={first.Ids[^1]}");

        Assert.Equal(["sub_5", "sub_4"], first.Ids);
        Assert.Equal(["sub_3", "sub_2"], second.Ids);
    }

    [Fact]
    public async Task Ending_before_walks_back_towards_the_newest()
    {
        await SeedAsync(10, step: 1);

        var page = await Stripe.GetAsync("v1/payment_intents?limit=3&ending_before=pi_4");

        Assert.Equal(["pi_7", "pi_6", "pi_5"], page.Ids);
        Assert.True(page.HasMore);
        Assert.False((await Stripe.GetAsync("v1/payment_intents?limit=6&ending_before=pi_4")).HasMore);
    }

    [Fact]
    public async Task An_unknown_cursor_is_resource_missing()
    {
        var reply = await Stripe.GetAsync("v1/payment_intents?starting_after=pi_nowhere");

        Assert.Equal((400, "resource_missing", "starting_after"), (reply.Status, reply.ErrorText("code"), reply.ErrorText("param")));
    }

    [Theory]
    [InlineData("created[gte]=1795003203", 8)]
    [InlineData("created[gt]=1795003203", 7)]
    [InlineData("created[lt]=1795003203", 2)]
    [InlineData("created[lte]=1795003203", 3)]
    [InlineData("created=1795003203", 1)]
    [InlineData("created[gte]=1795003202&created[lt]=1795003205", 3)]
    public async Task Created_is_whole_seconds_with_open_and_closed_bounds(string filter, int count)
    {
        await SeedAsync(10, step: 1);

        Assert.Equal(count, (await Stripe.GetAsync($"v1/payment_intents?limit=100&{filter}")).Ids.Count);
    }

    [Fact]
    public async Task A_customers_list_has_only_theirs()
    {
        await Stripe.Fake.SeedAsync(new { payment_intents = new[] { new { id = "pi_1", customer = "cus_1" }, new { id = "pi_2", customer = "cus_2" } } });

        Assert.Equal(["pi_1"], (await Stripe.GetAsync("v1/payment_intents?customer=cus_1")).Ids);
        Assert.Empty((await Stripe.GetAsync("v1/payment_intents?customer=cus_3")).Ids);
    }

    [Fact]
    public async Task Ids_do_not_sort_by_time()
    {
        List<string> made = [];
        for (var i = 0; i < 20; i++)
            made.Add((await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur")).Id);

        Assert.NotEqual(made.Order(StringComparer.Ordinal), made);
        Assert.All(made, id => Assert.Matches("^pi_[0-9A-Za-z]{24}$", id));
    }

    [Fact]
    public async Task Subscriptions_hide_canceled_ones_and_are_filtered_by_their_items_period()
    {
        await Stripe.Fake.SeedAsync(new
        {
            prices = new[] { new { id = "price_1" } },
            subscriptions = new[]
            {
                new { id = "sub_due", customer = "cus_1", price = "price_1", status = "active", current_period_start = Noon - 100, current_period_end = Noon },
                new { id = "sub_later", customer = "cus_1", price = "price_1", status = "active", current_period_start = Noon, current_period_end = Noon + 100 },
                new { id = "sub_gone", customer = "cus_1", price = "price_1", status = "canceled", current_period_start = Noon - 100, current_period_end = Noon },
            },
        });

        Assert.Equal(["sub_later", "sub_due"], (await Stripe.GetAsync("v1/subscriptions")).Ids);
        Assert.Equal(3, (await Stripe.GetAsync("v1/subscriptions?status=all")).Ids.Count);
        Assert.Equal(["sub_gone"], (await Stripe.GetAsync("v1/subscriptions?status=canceled")).Ids);
        Assert.Equal(["sub_due"], (await Stripe.GetAsync($"v1/subscriptions?current_period_end[lte]={Noon}")).Ids);
    }

    private async Task SeedAsync(int count, int step) => await Stripe.Fake.SeedAsync(new
    {
        payment_intents = new[] { new { id = "pi_{n}", repeat = count, created = Noon + step, created_step = step } },
    });
}
