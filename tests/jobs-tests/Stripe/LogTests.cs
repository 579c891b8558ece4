using Jobs.Stripe;
using Microsoft.Extensions.Logging;
using Xunit;
using static Jobs.Tests.Stripe.StubStripe;

namespace Jobs.Tests.Stripe;

public sealed class LogTests
{
    [Fact]
    public async Task The_log_tells_the_exchange_and_never_what_was_in_it()
    {
        var log = new ListLogger();
        using var stripe = new StubStripe(Answer(503, "<html>busy</html>"), Succeeded());
        using var client = stripe.Client(logger: log);
        await client.PaymentIntents.CreateAsync(FormBody.Parse("amount=1250&currency=eur&receipt_email=a%40example.org"), new IdempotencyKey("key-1"));
        Assert.Equal(3, log.Lines.Count);
        Assert.StartsWith("Debug Stripe POST /v1/payment_intents 503 req_1 in ", log.Lines[0], StringComparison.Ordinal);
        Assert.StartsWith("Information Stripe call is sent again in ", log.Lines[1], StringComparison.Ordinal);
        Assert.Contains("(1 of 6 sends made): POST /v1/payment_intents got 503", log.Lines[1], StringComparison.Ordinal);
        Assert.StartsWith("Debug Stripe POST /v1/payment_intents 200 req_1 in ", log.Lines[2], StringComparison.Ordinal);
        Assert.All(log.Lines, line => Assert.DoesNotContain("sk_", line, StringComparison.Ordinal));
        Assert.All(log.Lines, line => Assert.DoesNotContain("example.org", line, StringComparison.Ordinal));
    }

    private sealed class ListLogger : ILogger
    {
        public List<string> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add($"{logLevel} {formatter(state, exception)}");
    }
}
