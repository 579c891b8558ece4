using System.Diagnostics;
using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class FaultTests(Conversation stripe) : FakeStripeTest(stripe)
{
    private static readonly object AnyPost = new { method = "POST", path = "/v1/payment_intents", nth = 1 };

    [Fact]
    public async Task A_connection_dropped_after_execution_leaves_the_charge_behind()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("drop_after", AnyPost);

        await Assert.ThrowsAsync<HttpRequestException>(() => ChargeAsync());
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).Count);

        Assert.Equal("true", (await ChargeAsync()).Headers["Idempotent-Replayed"]);
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).Count);
    }

    [Fact]
    public async Task A_connection_dropped_before_execution_leaves_nothing()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("drop_before", AnyPost);

        await Assert.ThrowsAsync<HttpRequestException>(() => ChargeAsync());
        Assert.Equal(0, (await Stripe.Fake.LedgerAsync()).Count);

        Assert.False((await ChargeAsync()).Headers.ContainsKey("Idempotent-Replayed"));
    }

    [Fact]
    public async Task A_success_may_come_after_the_clients_patience()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("delay_after:30000", AnyPost);
        using var impatient = Stripe.Fake.Client();

        var charge = Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1", impatient);
        await Eventually.HoldsAsync(async () => (await Stripe.Fake.LedgerAsync()).Count == 1);
        impatient.CancelPendingRequests();

        await Assert.ThrowsAsync<TaskCanceledException>(() => charge);
        Assert.Equal(200, (await ChargeAsync()).Status);
    }

    [Fact]
    public async Task A_500_after_execution_is_replayed_for_ever_though_the_charge_succeeded()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("status_after:500", AnyPost);

        var first = await ChargeAsync();
        Assert.Equal((500, "api_error"), (first.Status, first.ErrorText("type")));
        var again = await ChargeAsync();
        Assert.Equal((500, first.Body, "true"), (again.Status, again.Body, again.Headers["Idempotent-Replayed"]));

        var listed = await Stripe.GetAsync("v1/payment_intents?customer=cus_ada");
        Assert.Equal("succeeded", listed.Json.GetProperty("data")[0].GetProperty("status").GetString());
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).Count);
    }

    [Theory]
    [InlineData("html", 502, "text/html")]
    [InlineData("empty", 503, "text/plain")]
    [InlineData("json", 500, "application/json")]
    public async Task A_gateway_error_before_execution_is_not_remembered(string body, int status, string type)
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync($"status_before:{status}", AnyPost, shouldRetry: true, body: body);

        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/payment_intents") { Content = new StringContent(Conversation.Renewal(), System.Text.Encoding.UTF8, "application/x-www-form-urlencoded") };
        request.Headers.Add("Idempotency-Key", "k1");
        using var response = await Stripe.Client.SendAsync(request);

        Assert.Equal((status, type), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Equal("true", response.Headers.GetValues("Stripe-Should-Retry").Single());
        Assert.Equal(body == "empty", (await response.Content.ReadAsByteArrayAsync()).Length == 0);
        Assert.False((await ChargeAsync()).Headers.ContainsKey("Idempotent-Replayed"));
        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).Count);
    }

    [Theory]
    [InlineData("rate_limit", 429, "rate_limit", true)]
    [InlineData("lock_timeout", 429, "lock_timeout", false)]
    [InlineData("conflict_409", 409, "idempotency_key_in_use", false)]
    public async Task A_limiter_or_lock_answers_before_anything_ran(string fault, int status, string code, bool reason)
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync(fault, AnyPost, shouldRetry: false);

        var reply = await ChargeAsync();

        Assert.Equal((status, code), (reply.Status, reply.ErrorText("code")));
        Assert.Equal(reason, reply.Headers.ContainsKey("Stripe-Rate-Limited-Reason"));
        Assert.False(reply.Headers.ContainsKey("Retry-After"));
        Assert.Equal("false", reply.Headers["Stripe-Should-Retry"]);
        Assert.Equal(200, (await ChargeAsync()).Status);
    }

    [Fact]
    public async Task A_body_may_be_cut_or_slow()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("truncated_json", new { path = "/v1/customers/{id}", nth = 1 });
        await Stripe.Fake.FaultAsync("truncated_body", new { path = "/v1/customers/{id}", nth = 1 });
        await Stripe.Fake.FaultAsync("slow_body:400", new { path = "/v1/customers/{id}", nth = 1 });

        await Assert.ThrowsAnyAsync<JsonException>(() => Stripe.GetAsync("v1/customers/cus_ada"));
        await Assert.ThrowsAsync<HttpRequestException>(() => Stripe.GetAsync("v1/customers/cus_ada"));
        var started = Stopwatch.GetTimestamp();
        Assert.Equal("cus_ada", (await Stripe.GetAsync("v1/customers/cus_ada")).Id);
        Assert.True(Stopwatch.GetElapsedTime(started) > TimeSpan.FromMilliseconds(350));
    }

    [Fact]
    public async Task A_rule_picks_the_nth_request_the_metadata_the_path_or_every_other_one()
    {
        await Stripe.Fake.FaultAsync("status_before:503", new { path = "/v1/payment_intents", nth = 2, times = 2 });
        Assert.Equal([200, 503, 503, 200], await StatusesAsync(4, "v1/payment_intents"));

        await Stripe.Fake.ClearFaultsAsync();
        await Stripe.Fake.FaultAsync("status_before:503", new { path = "^/v1/(refunds|charges)", every = 2 });
        Assert.Equal([200, 503, 200, 503], await StatusesAsync(4, "v1/refunds"));

        await Stripe.Fake.ClearFaultsAsync();
        await Stripe.Fake.FaultAsync("status_before:503", new { metadata = new { payment_id = "7" } });
        Assert.Equal(503, (await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur&metadata[payment_id]=7")).Status);
        Assert.Equal(200, (await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur&metadata[payment_id]=8")).Status);
    }

    [Fact]
    public async Task A_request_held_before_execution_never_runs_when_its_client_dies()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("hang_before", AnyPost);
        using var killed = new CancellationTokenSource();
        using var content = new StringContent(Conversation.Renewal(), System.Text.Encoding.UTF8, "application/x-www-form-urlencoded");
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/payment_intents") { Content = content };
        request.Headers.Add("Idempotency-Key", "k1");
        var call = Stripe.Client.SendAsync(request, killed.Token);
        var held = Assert.Single(await Stripe.Fake.HeldAsync());
        Assert.Equal(("before", "k1"), (held.Phase, held.IdempotencyKey));

        await killed.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await GoneAsync();

        Assert.Empty(await Stripe.Fake.DumpAsync());
        Assert.False((await ChargeAsync()).Headers.ContainsKey("Idempotent-Replayed"));
    }

    [Fact]
    public async Task A_request_held_after_execution_has_charged()
    {
        await Stripe.SeedMemberAsync();
        await Stripe.Fake.FaultAsync("hang_after", AnyPost);
        var call = ChargeAsync();
        Assert.Equal("after", Assert.Single(await Stripe.Fake.HeldAsync()).Phase);

        Assert.Equal(1, (await Stripe.Fake.LedgerAsync()).Count);
        Assert.Equal("true", (await ChargeAsync()).Headers["Idempotent-Replayed"]);

        await Stripe.Fake.ReleaseAsync();
        Assert.Equal(200, (await call).Status);
    }

    private Task<Reply> ChargeAsync() => Stripe.PostAsync("v1/payment_intents", Conversation.Renewal(), "k1");

    private async Task<List<int>> StatusesAsync(int count, string path)
    {
        List<int> statuses = [];
        for (var i = 0; i < count; i++)
            statuses.Add((await Stripe.GetAsync(path)).Status);
        return statuses;
    }

    private Task GoneAsync() => Eventually.HoldsAsync(async () => await Stripe.Fake.Control.GetStringAsync("holds") == """{"holds":[]}""");
}
