using Jobs.Stripe;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class SubscriptionTests
{
    private static async Task<Subscription> ReadAsync(string members)
    {
        using var stripe = new StubStripe(Answer(200, $$"""{"id":"sub_1","status":"active","created":1700000000,"customer":"cus_1",{{members}}}"""));
        using var client = stripe.Client();
        return (await client.Subscriptions.GetAsync("sub_1")).Value;
    }

    [Theory]
    [InlineData("""  "items":{"data":[{"id":"si_1","current_period_end":1702592000}],"has_more":false}  """, 1702592000L)]
    [InlineData("""  "items":{"data":[{"id":"si_1","current_period_end":1702592000},{"id":"si_2","current_period_end":1700600000}],"has_more":false}  """, 1700600000L)]
    [InlineData("""  "current_period_end":1702592000,"items":{"data":[{"id":"si_1"}],"has_more":false}  """, 1702592000L)]
    [InlineData("""  "current_period_end":1702592000  """, 1702592000L)]
    [InlineData("""  "items":{"data":[],"has_more":false}  """, null)]
    public async Task The_period_ends_with_the_first_item_to_end_or_in_older_versions_with_the_subscription(string members, long? end) =>
        Assert.Equal(end, (await ReadAsync(members)).PeriodEnd?.ToUnixTimeSeconds());

    [Theory]
    [InlineData(""" "cancel_at_period_end":true, """, true)]
    [InlineData(""" "cancel_at":1702592000, """, true)]
    [InlineData(""" "cancel_at":1702592001, """, false)]
    [InlineData("", false)]
    public async Task It_ends_with_its_period_by_the_flag_or_by_a_date_not_after_it(string members, bool ends) =>
        Assert.Equal(ends, (await ReadAsync(members + """ "current_period_end":1702592000 """)).EndsWithPeriod);

    [Fact]
    public async Task Prices_carry_their_lookup_keys()
    {
        var subscription = await ReadAsync(""" "metadata":{"plan":"club"},"items":{"data":[{"id":"si_1","price":{"id":"price_1","lookup_key":"monthly"}}],"has_more":false} """);
        Assert.Equal(("monthly", "club", "cus_1"), (subscription.Items!.Data[0].Price!.LookupKey, subscription.Metadata["plan"], subscription.CustomerId));
    }
}
