using System.Net;
using Jobs.SumUp;
using Jobs.Tests.Stripe;
using Xunit;

namespace Jobs.Tests.SumUp;

/// <summary>What comes back is read leniently, and asked for again when it passes.</summary>
public sealed class ReadingTests
{
    [Fact]
    public async Task Only_what_is_needed_has_to_be_there()
    {
        using var network = new StubStripe(
            StubStripe.Answer(200, """{"items":[{"id":"rdr_1","name":null,"status":"hibernating","device":null,"new":{"a":[1]}},null]}"""),
            StubStripe.Answer(200, """{"data":{"status":"ONLINE","state":null,"battery_level":"full","last_activity":7,"connection_type":"wifi"}}"""),
            StubStripe.Answer(201, """{"client_transaction_id":"c-1"}"""),
            StubStripe.Answer(200, """{"data":{"status":"paused","total_amount":null}}"""));
        using var client = Stub.Client(network);
        var reader = Assert.Single(await client.ListReadersAsync());
        Assert.Equal(("rdr_1", "", "hibernating", null, false), (reader.Id, reader.Name, reader.Status, reader.Serial, reader.IsPaired));
        var status = await client.FindReaderStatusAsync("rdr_1");
        Assert.Equal((true, false, null, null, "wifi"), (status!.IsOnline, status.IsIdle, status.LastActivity, status.BatteryLevel, status.ConnectionType));
        var checkout = await client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout);
        Assert.Equal(("c-1", null), (checkout.ClientTransactionId, checkout.CheckoutId));
        var state = await client.FindReaderCheckoutAsync("rdr_1", "k-1");
        Assert.Equal((false, false, false, null), (state!.IsPending, state.IsSuccessful, state.IsNotPaid, state.AmountMinor));
    }

    [Fact]
    public async Task A_reader_is_read_with_its_device_and_times()
    {
        using var network = new StubStripe(StubStripe.Answer(200, """{"id":"rdr_1","name":"Desk","status":"paired","device":{"identifier":"U1DT3NA00-CN","model":"solo"},"created_at":"2026-11-20T10:00:00.123456Z","updated_at":"2026-11-20T12:00:00+02:00"}"""));
        using var client = Stub.Client(network);
        var reader = await client.FindReaderAsync("rdr_1");
        Assert.Equal(("U1DT3NA00-CN", "solo", true), (reader!.Serial, reader.Model, reader.IsPaired));
        Assert.Equal((new DateTimeOffset(2026, 11, 20, 10, 0, 0, 123, 456, TimeSpan.Zero), new DateTimeOffset(2026, 11, 20, 10, 0, 0, TimeSpan.Zero)), (reader.CreatedAt!.Value, reader.UpdatedAt!.Value));
    }

    [Theory]
    [InlineData("SUCCESSFUL", true, false)]
    [InlineData("REFUNDED", true, false)]
    [InlineData("FAILED", false, true)]
    [InlineData("CANCELLED", false, true)]
    [InlineData("PENDING", false, false)]
    [InlineData("SOMETHING_NEW", false, false)]
    public async Task A_status_is_paid_not_paid_or_neither(string status, bool paid, bool notPaid)
    {
        using var network = new StubStripe(StubStripe.Answer(200, Stub.Transaction().Replace("SUCCESSFUL", status, StringComparison.Ordinal)));
        using var client = Stub.Client(network);
        var found = await client.FindTransactionAsync(TransactionKey.Foreign("f-1"));
        Assert.Equal((paid, notPaid), (found!.IsPaid, found.IsNotPaid));
    }

    [Fact]
    public async Task An_answer_about_another_transaction_is_no_answer()
    {
        using var network = new StubStripe(StubStripe.Answer(200, Stub.Transaction()));
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.FindTransactionAsync(TransactionKey.Foreign("f-2")));
        Assert.Equal((SumUpErrorKind.NoAnswer, (HttpStatusCode?)HttpStatusCode.OK), (e.Kind, e.Status));
        Assert.NotNull(await client.FindTransactionAsync(TransactionKey.Client("c-1")));
    }

    [Fact]
    public async Task Of_several_under_one_id_the_paid_one_is_found()
    {
        var failed = Stub.Transaction().Replace("SUCCESSFUL", "FAILED", StringComparison.Ordinal);
        var other = Stub.Transaction().Replace("f-1", "f-2", StringComparison.Ordinal);
        using var network = new StubStripe(
            StubStripe.Answer(200, $$"""{"items":[{{failed}},{{Stub.Transaction()}},{{other}}]}"""),
            StubStripe.Answer(200, $$"""{"items":[{{failed}}]}"""),
            StubStripe.Answer(200, $$"""{"items":[{{other}}]}"""));
        using var client = Stub.Client(network);
        Assert.True((await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.IsPaid);
        Assert.True((await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.IsNotPaid);
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
    }

    [Theory]
    [InlineData(429)]
    [InlineData(408)]
    [InlineData(500)]
    [InlineData(503)]
    public async Task A_read_is_tried_three_times(int status)
    {
        using var network = new StubStripe(StubStripe.Answer(status, ""));
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.ListReadersAsync());
        Assert.Equal(((HttpStatusCode)status, false, 3), (e.Status!.Value, e.MayHaveHappened, network.Requests.Count));
        Assert.True(network.Clock.Pauses.Sum(pause => pause.TotalSeconds) < 3);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(422)]
    public async Task A_refused_read_would_be_refused_again(int status)
    {
        using var network = new StubStripe(StubStripe.Answer(status, ""));
        using var client = Stub.Client(network);
        await Assert.ThrowsAsync<SumUpException>(() => client.ListReadersAsync());
        Assert.Single(network.Requests);
    }

    [Fact]
    public async Task A_read_survives_a_lost_answer_half_an_answer_and_waits_as_long_as_asked()
    {
        using var network = new StubStripe(
            StubStripe.Lost,
            StubStripe.Answer(200, """{"items":["""),
            StubStripe.Answer(200, """{"items":[]}"""),
            StubStripe.Answer(429, "", ("Retry-After", "4")),
            StubStripe.Refused,
            StubStripe.Answer(200, """{"items":[]}"""));
        using var client = Stub.Client(network);
        Assert.Empty(await client.ListReadersAsync());
        Assert.Empty(await client.ListReadersAsync());
        Assert.Equal(6, network.Requests.Count);
        Assert.Contains(TimeSpan.FromSeconds(4), network.Clock.Pauses);
    }

    [Fact]
    public async Task The_history_follows_its_links_on_its_own_path_whatever_they_say_before_the_question_mark()
    {
        const string item = """{"id":"t-1","transaction_id":"t-1","amount":1.5,"currency":"EUR","status":"SUCCESSFUL","type":"PAYMENT","refunded_amount":0}""";
        using var network = new StubStripe(
            StubStripe.Answer(200, $$"""{"items":[{{item}},{{item}}],"links":[{"rel":"prev","href":"x=1"},{"rel":"next","href":"limit=2&oldest_ref=7"}]}"""),
            StubStripe.Answer(503, ""),
            StubStripe.Answer(200, $$"""{"items":[{{item}}],"links":[{"rel":"next","href":"https://elsewhere.example/steal?limit=2&oldest_ref=8"}]}"""),
            StubStripe.Answer(200, """{"items":[],"links":[]}"""));
        using var client = Stub.Client(network);
        var options = new TransactionHistoryOptions
        {
            ChangesSince = new DateTimeOffset(2026, 11, 20, 1, 2, 3, 456, TimeSpan.FromHours(1)),
            Statuses = ["SUCCESSFUL", "REFUNDED"],
            Types = ["PAYMENT"],
            Order = "descending",
            Limit = 2,
        };
        Assert.Equal(3, await client.ListTransactionsAsync(options).CountAsync());
        Assert.Equal(
            [
                "order=descending&limit=2&statuses%5B%5D=SUCCESSFUL&statuses%5B%5D=REFUNDED&types%5B%5D=PAYMENT&changes_since=2026-11-20T00%3A02%3A03.456Z",
                "limit=2&oldest_ref=7",
                "limit=2&oldest_ref=7",
                "limit=2&oldest_ref=8",
            ],
            network.Requests.Select(request => request.Query));
        Assert.All(network.Requests, request => Assert.Equal("/v2.1/merchants/MH4H92C7/transactions/history", request.Path));
    }

    [Fact]
    public async Task A_history_that_leads_in_a_circle_ends()
    {
        using var network = new StubStripe(StubStripe.Answer(200, """{"items":[],"links":[{"rel":"next","href":"oldest_ref=7"}]}"""));
        using var client = Stub.Client(network);
        await Assert.ThrowsAsync<SumUpException>(() => client.ListTransactionsAsync(new()).CountAsync().AsTask());
        Assert.Equal(2, network.Requests.Count);
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("..")]
    public async Task What_is_no_id_is_not_asked_for(string id)
    {
        using var network = new StubStripe(StubStripe.Answer(200));
        using var client = Stub.Client(network);
        await Assert.ThrowsAsync<ArgumentException>(() => client.FindReaderAsync(id));
        await Assert.ThrowsAsync<ArgumentException>(() => client.DeleteReaderAsync(id));
        await Assert.ThrowsAsync<ArgumentException>(() => client.FindTransactionAsync(default));
        Assert.Empty(network.Requests);
    }

    [Theory]
    [InlineData("http://api.sumup.com")]
    [InlineData("https://api.sumup.com/v0.1")]
    [InlineData("https://user@api.sumup.com")]
    [InlineData("ftp://api.sumup.com")]
    public void A_base_that_would_give_the_key_away_is_refused(string url) =>
        Assert.Throws<ArgumentException>(() => new SumUpClient(
            new SumUpClientOptions { ApiKey = Stub.Key, MerchantCode = "M", ApiBase = new Uri(url) }, Microsoft.Extensions.Logging.Abstractions.NullLogger<SumUpClient>.Instance));
}
