using Jobs.Stripe;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class PagingTests
{
    [Fact]
    public async Task Pages_are_asked_for_one_after_the_other_as_they_are_read()
    {
        using var stripe = new StubStripe(Page(hasMore: true, "pi_3", "pi_2"), Page(hasMore: false, "pi_1"));
        using var client = stripe.Client();
        var seen = new List<(string Id, int Requests)>();
        await foreach (var intent in client.PaymentIntents.ListAsync(new() { Customer = "cus_1" }))
            seen.Add((intent.Id, stripe.Requests.Count));
        Assert.Equal([("pi_3", 1), ("pi_2", 1), ("pi_1", 2)], seen);
        Assert.Equal("limit=100&customer=cus_1", stripe.Requests[0].Query);
        Assert.Equal("limit=100&starting_after=pi_2&customer=cus_1", stripe.Requests[1].Query);
    }

    [Fact]
    public async Task A_full_last_page_is_the_last()
    {
        using var stripe = new StubStripe(Page(hasMore: false, [.. Enumerable.Range(0, 100).Select(i => $"pi_{i}")]));
        using var client = stripe.Client();
        Assert.Equal(100, await client.PaymentIntents.ListAsync().CountAsync());
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task A_reader_who_stops_asks_for_no_further_page()
    {
        using var stripe = new StubStripe(Page(hasMore: true, "pi_3", "pi_2"));
        using var client = stripe.Client();
        Assert.Equal("pi_3", (await client.PaymentIntents.ListAsync().FirstAsync()).Id);
        Assert.Single(stripe.Requests);
    }

    [Fact]
    public async Task Pages_that_do_not_move_on_are_an_error_not_a_loop()
    {
        using var empty = new StubStripe(Page(hasMore: true));
        using var client = empty.Client();
        await Assert.ThrowsAsync<StripeException>(async () => await client.PaymentIntents.ListAsync().CountAsync());
        using var same = new StubStripe(Page(hasMore: true, "pi_1"));
        using var other = same.Client();
        await Assert.ThrowsAsync<StripeException>(async () => await other.PaymentIntents.ListAsync().CountAsync());
        Assert.Equal(2, same.Requests.Count);
    }

    [Fact]
    public async Task A_page_without_has_more_is_not_taken_for_the_last()
    {
        using var stripe = new StubStripe(Answer(200, """{"object":"list","data":[]}"""));
        using var client = stripe.Client(maxAttempts: 1);
        await Assert.ThrowsAsync<StripeException>(async () => await client.PaymentIntents.ListAsync().CountAsync());
    }

    [Fact]
    public async Task A_window_with_fractions_of_a_second_is_widened_to_whole_ones()
    {
        using var stripe = new StubStripe(Page(hasMore: false));
        using var client = stripe.Client();
        var whole = DateTimeOffset.FromUnixTimeSeconds(1000);
        var fraction = whole.AddMilliseconds(500);
        await client.Events.ListAsync(new() { Created = new() { GreaterThan = whole, GreaterThanOrEqual = whole, LessThan = whole, LessThanOrEqual = whole } }).CountAsync();
        await client.Events.ListAsync(new() { Created = new() { GreaterThan = fraction, GreaterThanOrEqual = fraction, LessThan = fraction, LessThanOrEqual = fraction } }).CountAsync();
        Assert.Equal("limit=100&created[gt]=1000&created[gte]=1000&created[lt]=1000&created[lte]=1000", stripe.Requests[0].Query);
        Assert.Equal("limit=100&created[gt]=999&created[gte]=1000&created[lt]=1001&created[lte]=1000", stripe.Requests[1].Query);
    }

    [Fact]
    public async Task A_short_list_asked_for_in_parallel_is_one_request()
    {
        using var stripe = new StubStripe(Page(hasMore: false, "pi_2", "pi_1"));
        using var client = stripe.Client();
        var window = new DateRangeOptions { GreaterThanOrEqual = DateTimeOffset.UnixEpoch, LessThanOrEqual = DateTimeOffset.FromUnixTimeSeconds(1000) };
        Assert.Equal(2, await client.PaymentIntents.ListAsync(new() { Created = window, Parallel = 8 }).CountAsync());
        Assert.Equal("limit=100&created[gte]=0&created[lte]=1000", Assert.Single(stripe.Requests).Query);
    }

    [Fact]
    public async Task The_older_half_of_what_is_left_goes_to_an_idle_reader_and_nothing_is_read_twice()
    {
        // The stub's objects are of second 1700000000: what is left ends there.
        using var stripe = new StubStripe(Page(hasMore: true, "pi_3"), Page(hasMore: false), Page(hasMore: false));
        using var client = stripe.Client();
        var window = new DateRangeOptions
        {
            GreaterThanOrEqual = DateTimeOffset.FromUnixTimeSeconds(1_699_999_990),
            LessThanOrEqual = DateTimeOffset.FromUnixTimeSeconds(1_700_000_099),
        };
        Assert.Equal(1, await client.PaymentIntents.ListAsync(new() { Created = window, Parallel = 2 }).CountAsync());
        Assert.Equal(
            [
                "limit=100&created[gte]=1699999990&created[lte]=1699999994",
                "limit=100&created[gte]=1699999990&created[lte]=1700000099",
                "limit=100&starting_after=pi_3&created[gte]=1699999995&created[lte]=1700000000",
            ],
            stripe.Requests.Select(r => r.Query).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_parallel_list_needs_a_window_with_both_ends()
    {
        using var stripe = new StubStripe(Page(hasMore: false));
        using var client = stripe.Client();
        var open = new DateRangeOptions { GreaterThanOrEqual = DateTimeOffset.UnixEpoch };
        await Assert.ThrowsAsync<ArgumentException>(async () => await client.PaymentIntents.ListAsync(new() { Created = open, Parallel = 2 }).CountAsync());
    }

    [Fact]
    public async Task One_page_that_cannot_be_read_fails_the_whole_list()
    {
        using var stripe = new StubStripe(Page(hasMore: true, "pi_3"), Error(403, "invalid_request_error"));
        using var client = stripe.Client(maxAttempts: 1);
        var window = new DateRangeOptions { GreaterThanOrEqual = DateTimeOffset.UnixEpoch, LessThanOrEqual = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000) };
        await Assert.ThrowsAsync<StripeException>(async () => await client.PaymentIntents.ListAsync(new() { Created = window, Parallel = 4 }).CountAsync());
    }

    private static Step Page(bool hasMore, params string[] ids) => Answer(
        200,
        $$"""{"object":"list","url":"/v1/payment_intents","has_more":{{(hasMore ? "true" : "false")}},"data":[{{string.Join(',', ids.Select(id => PaymentIntent("succeeded", id)))}}]}""");
}
