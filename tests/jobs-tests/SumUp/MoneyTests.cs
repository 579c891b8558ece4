using System.Text.Json;
using Jobs.SumUp;
using Jobs.Tests.Stripe;
using Xunit;

namespace Jobs.Tests.SumUp;

/// <summary>The same money in three units: tables' minor units, a checkout's, and decimals.</summary>
public sealed class MoneyTests
{
    [Theory]
    [InlineData("eur", 1, 1, 2)]
    [InlineData("eur", 1250, 1250, 2)]
    [InlineData("EUR", 1250, 1250, 2)]
    [InlineData("jpy", 500, 500, 0)]
    [InlineData("kwd", 1230, 1230, 3)]
    [InlineData("huf", 125000, 1250, 0)]
    [InlineData("cop", 990000, 9900, 0)]
    [InlineData("clp", 9900, 9900, 0)]
    public async Task A_checkout_is_sent_in_the_units_of_SumUp(string currency, long minor, long value, int minorUnit)
    {
        using var network = new StubStripe(StubStripe.Answer(201, Stub.Accepted));
        using var client = Stub.Client(network);
        await client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout with { AmountMinor = minor, Currency = currency });
        var sent = JsonDocument.Parse(network.Requests[0].Body!).RootElement;
        Assert.Equal($$"""{"value":{{value}},"currency":"{{currency.ToUpperInvariant()}}","minor_unit":{{minorUnit}}}""", sent.GetProperty("total_amount").GetRawText());
        Assert.Equal("""{"app_id":"org.example.desk","key":"sup_afk_fedcba9876543210","foreign_transaction_id":"f-1"}""", sent.GetProperty("affiliate").GetRawText());
        Assert.Equal("Membership", sent.GetProperty("description").GetString());
    }

    [Theory]
    [InlineData("eur", 0)]
    [InlineData("eur", -1)]
    [InlineData("huf", 125050)]
    [InlineData("xxx", 100)]
    public async Task What_no_reader_takes_is_not_sent(string currency, long minor)
    {
        using var network = new StubStripe(StubStripe.Answer(201, Stub.Accepted));
        using var client = Stub.Client(network);
        await Assert.ThrowsAnyAsync<ArgumentException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout with { AmountMinor = minor, Currency = currency }));
        Assert.Empty(network.Requests);
    }

    [Theory]
    [InlineData("EUR", "12.5", 1250)]
    [InlineData("EUR", "12.50", 1250)]
    [InlineData("EUR", "\"12.50\"", 1250)]
    [InlineData("EUR", "1.25e1", 1250)]
    [InlineData("EUR", "10", 1000)]
    [InlineData("EUR", "0.01", 1)]
    [InlineData("EUR", "4.35", 435)]
    [InlineData("EUR", "1.1", 110)]
    [InlineData("EUR", "12.299999999999999", 1230)]
    [InlineData("EUR", "90071992547409.93", 9007199254740993)]
    [InlineData("HUF", "1250", 125000)]
    [InlineData("JPY", "500", 500)]
    [InlineData("KWD", "1.23", 1230)]
    [InlineData("KWD", "1.234", 1234)]
    public async Task A_transactions_decimals_become_exact_minor_units(string currency, string amount, long minor)
    {
        var found = await FindAsync($$"""{"id":"t-1","amount":{{amount}},"currency":"{{currency}}","status":"SUCCESSFUL"}""");
        Assert.Equal((minor, currency.ToLowerInvariant()), (found!.AmountMinor, found.Currency));
    }

    [Theory]
    [InlineData("EUR", "12.505")]
    [InlineData("JPY", "500.5")]
    [InlineData("KWD", "1.2345")]
    [InlineData("XXX", "1")]
    [InlineData("EUR", "null")]
    [InlineData("EUR", "\"twelve\"")]
    [InlineData("EUR", "1e27")]
    public async Task What_is_not_an_amount_is_not_guessed(string currency, string amount)
    {
        var e = await Assert.ThrowsAsync<SumUpException>(() => FindAsync($$"""{"id":"t-1","amount":{{amount}},"currency":"{{currency}}","status":"SUCCESSFUL"}"""));
        Assert.Equal((SumUpErrorKind.NoAnswer, false), (e.Kind, e.MayHaveHappened));
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("\"events\":[]", 0L)]
    [InlineData("\"events\":null", null)]
    [InlineData("\"events\":[{\"type\":\"REFUND\",\"status\":\"REFUNDED\",\"amount\":2.5},{\"type\":\"REFUND\",\"status\":\"PENDING\",\"amount\":1},{\"type\":\"REFUND\",\"status\":\"FAILED\",\"amount\":9},{\"type\":\"PAYOUT\",\"amount\":12.5}]", 350L)]
    [InlineData("\"transaction_events\":[{\"event_type\":\"REFUND\",\"status\":\"REFUNDED\",\"amount\":-2.5}]", 250L)]
    [InlineData("\"events\":[],\"transaction_events\":[{\"event_type\":\"REFUND\",\"status\":\"REFUNDED\",\"amount\":2.5}]", 250L)]
    [InlineData("\"events\":[{\"type\":\"REFUND\",\"status\":\"REFUNDED\"}]", null)]
    public async Task What_was_given_back_is_known_or_it_is_not(string events, long? refunded) =>
        Assert.Equal(refunded, (await FindAsync(Stub.Transaction(events)))!.RefundedMinor);

    [Theory]
    [InlineData("eur", 500L, """{"amount":5}""")]
    [InlineData("eur", 435L, """{"amount":4.35}""")]
    [InlineData("jpy", 500L, """{"amount":500}""")]
    [InlineData("huf", 125000L, """{"amount":1250}""")]
    [InlineData("kwd", 1230L, """{"amount":1.23}""")]
    [InlineData("eur", null, "{}")]
    public async Task A_refund_is_sent_in_decimals(string currency, long? minor, string body)
    {
        using var network = new StubStripe(StubStripe.Answer(204, ""));
        using var client = Stub.Client(network);
        await client.RefundAsync("t-1", minor, currency);
        Assert.Equal(("POST", "/v1.0/merchants/MH4H92C7/payments/t-1/refunds", body), (network.Requests[0].Method, network.Requests[0].Path, network.Requests[0].Body));
    }

    [Fact]
    public async Task A_checkouts_state_reads_its_own_units()
    {
        using var network = new StubStripe(StubStripe.Answer(200, """{"data":{"status":"successful","total_amount":{"value":1250,"currency":"HUF","minor_unit":0}}}"""));
        using var client = Stub.Client(network);
        var state = await client.FindReaderCheckoutAsync("rdr_1", "k-1");
        Assert.Equal((125000L, "huf", true), (state!.AmountMinor!.Value, state.Currency, state.IsSuccessful));
    }

    private static async Task<Transaction?> FindAsync(string body)
    {
        using var network = new StubStripe(StubStripe.Answer(200, body));
        using var client = Stub.Client(network);
        return await client.FindTransactionAsync(TransactionKey.Id("t-1"));
    }
}
