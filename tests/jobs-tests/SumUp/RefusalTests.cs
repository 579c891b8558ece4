using System.Net;
using Jobs.SumUp;
using Jobs.Tests.Stripe;
using Xunit;

namespace Jobs.Tests.SumUp;

/// <summary>Three families of errors, one judgement: the status first, then the type, never the text.</summary>
public sealed class RefusalTests
{
    [Theory]
    [InlineData(422, """{"errors":{"type":"READER_BUSY","detail":"x"}}""", SumUpErrorKind.ReaderBusy, "READER_BUSY", false)]
    [InlineData(422, """{"type":"https://developer.sumup.com/problem/reader-busy","status":422}""", SumUpErrorKind.ReaderBusy, "reader-busy", false)]
    [InlineData(422, """{"errors":{"type":"READER_OFFLINE"}}""", SumUpErrorKind.ReaderOffline, "READER_OFFLINE", false)]
    [InlineData(422, """{"type":"https://developer.sumup.com/problem/reader-offline"}""", SumUpErrorKind.ReaderOffline, "reader-offline", false)]
    [InlineData(422, """{"errors":{"detail":"Unprocessable Entity"}}""", SumUpErrorKind.Unprocessable, null, false)]
    [InlineData(422, "", SumUpErrorKind.Unprocessable, null, false)]
    [InlineData(422, """{"errors":{"total_amount":["must be greater than 0"]}}""", SumUpErrorKind.InvalidRequest, null, false)]
    [InlineData(422, """{"type":"https://developer.sumup.com/problem/validation-error"}""", SumUpErrorKind.InvalidRequest, "validation-error", false)]
    [InlineData(400, """{"errors":{"type":"DUPLICATE_HEADERS"}}""", SumUpErrorKind.InvalidRequest, "DUPLICATE_HEADERS", false)]
    [InlineData(400, """{"errors":{"type":"INVALID_BEARER_TOKEN"}}""", SumUpErrorKind.Unauthorized, "INVALID_BEARER_TOKEN", false)]
    [InlineData(401, """{"errors":{"detail":"Unauthorized"}}""", SumUpErrorKind.Unauthorized, null, false)]
    [InlineData(403, """{"error_message":"no","error_code":"FORBIDDEN","status_code":"403"}""", SumUpErrorKind.Forbidden, "FORBIDDEN", false)]
    [InlineData(404, """{"error_code":"NOT_FOUND","message":"Resource not found"}""", SumUpErrorKind.NotFound, "NOT_FOUND", false)]
    [InlineData(429, "", SumUpErrorKind.RateLimited, null, false)]
    [InlineData(408, "", SumUpErrorKind.Unavailable, null, true)]
    [InlineData(409, """{"type":"https://developer.sumup.com/problem/conflict"}""", SumUpErrorKind.Conflict, "conflict", true)]
    [InlineData(500, """{"errors":{"type":"READER_BUSY"}}""", SumUpErrorKind.Unavailable, "READER_BUSY", true)]
    [InlineData(502, "<html>Bad gateway</html>", SumUpErrorKind.Unavailable, null, true)]
    [InlineData(504, "[1,2]", SumUpErrorKind.Unavailable, null, true)]
    [InlineData(302, "", SumUpErrorKind.NoAnswer, null, true)]
    public async Task A_refused_checkout_is_judged_and_never_sent_again(int status, string body, SumUpErrorKind kind, string? type, bool mayHaveHappened)
    {
        using var network = new StubStripe(StubStripe.Answer(status, body));
        using var client = Stub.Client(network);
        var e = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout));
        Assert.Equal((kind, (HttpStatusCode?)status, type, mayHaveHappened), (e.Kind, e.Status, e.ErrorType, e.MayHaveHappened));
        Assert.Single(network.Requests);
    }

    [Fact]
    public async Task Keys_are_in_no_message_and_no_log_whatever_the_server_repeats()
    {
        var log = new Lines();
        using var network = new StubStripe(StubStripe.Answer(500, $$$"""{"errors":{"type":"ODD","detail":"key {{{Stub.Key}}} with {{{Stub.AffiliateKey}}}"}}"""));
        using var client = Stub.Client(network, log: log);
        var write = await Assert.ThrowsAsync<SumUpException>(() => client.CreateReaderCheckoutAsync("rdr_1", Stub.Checkout));
        var read = await Assert.ThrowsAsync<SumUpException>(() => client.FindReaderAsync("rdr_1"));
        var all = $"{write}{read}{string.Join('\n', log)}{new SumUpClientOptions { ApiKey = Stub.Key, MerchantCode = "M" }}";
        Assert.DoesNotContain(Stub.Key, all, StringComparison.Ordinal);
        Assert.DoesNotContain(Stub.AffiliateKey, all, StringComparison.Ordinal);
        Assert.Contains("rdr_1", all, StringComparison.Ordinal);
        Assert.Equal(4, network.Requests.Count);
    }

    [Fact]
    public async Task A_404_is_null_where_something_is_looked_for()
    {
        using var network = new StubStripe(StubStripe.Answer(404, """{"errors":{"detail":"x"}}"""));
        using var client = Stub.Client(network);
        Assert.Null(await client.FindReaderAsync("rdr_1"));
        Assert.Null(await client.FindReaderStatusAsync("rdr_1"));
        Assert.Null(await client.FindReaderCheckoutAsync("rdr_1", "k-1"));
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
        Assert.Equal(4, network.Requests.Count);
    }

    private sealed class Lines : List<string>, Microsoft.Extensions.Logging.ILogger<SumUpClient>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(Microsoft.Extensions.Logging.LogLevel logLevel) => true;

        public void Log<TState>(
            Microsoft.Extensions.Logging.LogLevel logLevel,
            Microsoft.Extensions.Logging.EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter) => Add(formatter(state, exception) + exception);
    }
}
