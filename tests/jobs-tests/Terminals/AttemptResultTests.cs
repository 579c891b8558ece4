using System.Net;
using System.Text;
using Jobs.SumUp;
using Jobs.Terminals;
using Jobs.Tests.Rig;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Jobs.Tests.Terminals;

/// <summary>Each proof that nobody paid, missing in turn: without any one of them reader and payer stay held.</summary>
public sealed class AttemptResultTests(PostgresFixture fixture)
{
    private static readonly DateTime Sent = new(2026, 11, 20, 9, 0, 0, DateTimeKind.Utc);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private const string Mine = """{"id":"t-1","amount":10.0,"currency":"EUR","status":"STATUS","foreign_transaction_id":"f-1","client_transaction_id":"c-1"}""";
    private const string Sale = """{"items":[{"id":"t-9","transaction_id":"t-9","client_transaction_id":"c-9","amount":10.0,"currency":"EUR","status":"SUCCESSFUL","type":"PAYMENT"}]}""";

    /// <summary>All proof is there: nothing is found, the checkout is over, the reader idle and awake since, no sale unclaimed.</summary>
    private static Dictionary<string, (int Status, string Body)> Proof() => new(StringComparer.Ordinal)
    {
        ["foreign"] = (404, """{"error_code":"NOT_FOUND"}"""),
        ["client"] = (404, """{"error_code":"NOT_FOUND"}"""),
        ["id"] = (404, """{"error_code":"NOT_FOUND"}"""),
        ["checkout"] = (200, """{"data":{"checkout_id":"k-1","status":"cancelled"}}"""),
        ["status"] = (200, """{"data":{"status":"ONLINE","state":"IDLE","last_activity":"2026-11-20T09:02:00Z"}}"""),
        ["history"] = (200, """{"items":[]}"""),
    };

    [Fact]
    public async Task With_all_proof_nobody_paid() => Assert.Equal(AttemptFinding.NotPaid, (await FindAsync(Proof())).Finding);

    [Theory]
    [InlineData("the client id is not answered", "client", 500, "")]
    [InlineData("the reference is not answered", "foreign", 500, "")]
    [InlineData("our key is refused", "foreign", 401, "")]
    [InlineData("the answer is not JSON", "foreign", 200, "<html>")]
    [InlineData("it is under way", "foreign", 200, "PENDING")]
    [InlineData("the checkout is pending", "checkout", 200, """{"data":{"checkout_id":"k-1","status":"pending"}}""")]
    [InlineData("the checkout succeeded", "checkout", 200, """{"data":{"checkout_id":"k-1","status":"successful"}}""")]
    [InlineData("the checkout is not answered", "checkout", 503, "")]
    [InlineData("the reader is offline", "status", 200, """{"data":{"status":"OFFLINE","state":"IDLE","last_activity":"2026-11-20T09:02:00Z"}}""")]
    [InlineData("the reader asks for a card", "status", 200, """{"data":{"status":"ONLINE","state":"WAITING_FOR_CARD","last_activity":"2026-11-20T09:02:00Z"}}""")]
    [InlineData("the reader has not been heard of since", "status", 200, """{"data":{"status":"ONLINE","state":"IDLE","last_activity":"2026-11-20T08:59:59Z"}}""")]
    [InlineData("the reader is unknown", "status", 404, "")]
    [InlineData("the reader is not answered", "status", 500, "")]
    [InlineData("the sales are not answered", "history", 500, "")]
    [InlineData("a sale of that amount cannot be read", "history", 200, Sale)]
    public async Task Without_it_nothing_is_concluded(string missing, string question, int status, string body)
    {
        var answers = Proof();
        answers[question] = (status, body == "PENDING" ? Mine.Replace("STATUS", body, StringComparison.Ordinal) : body);

        var result = await FindAsync(answers);

        Assert.True(result.Finding == AttemptFinding.Unclear, $"{missing}: {result}");
    }

    [Fact]
    public async Task Before_everything_together_can_be_over_nothing_is_concluded() =>
        Assert.Equal(AttemptFinding.Unclear, (await FindAsync(Proof(), age: Patience - TimeSpan.FromSeconds(1))).Finding);

    [Theory]
    [InlineData(11, "cancelled", AttemptFinding.NotPaid)]
    [InlineData(9, "cancelled", AttemptFinding.Unclear)]
    [InlineData(11, "pending", AttemptFinding.Unclear)]
    public async Task Told_to_stop_ten_seconds_ago_and_over_it_need_not_be_waited_for(int secondsAgo, string checkout, AttemptFinding expected)
    {
        var answers = Proof();
        answers["checkout"] = (200, $$$"""{"data":{"checkout_id":"k-1","status":"{{{checkout}}}"}}""");

        Assert.Equal(expected, (await FindAsync(answers, TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(secondsAgo))).Finding);
    }

    [Theory]
    [InlineData("SUCCESSFUL")]
    [InlineData("REFUNDED")]
    public async Task Money_moved_whichever_question_shows_it(string status)
    {
        foreach (var question in new[] { "foreign", "client" })
        {
            var answers = Proof();
            answers[question] = (200, Mine.Replace("STATUS", status, StringComparison.Ordinal));
            Assert.Equal(AttemptFinding.Paid, (await FindAsync(answers, age: TimeSpan.FromSeconds(1))).Finding);
        }
    }

    [Fact]
    public async Task Money_moved_although_both_look_ups_deny_it_and_the_sales_show_it()
    {
        var answers = Proof();
        answers["history"] = (200, Sale);
        answers["id"] = (200, """{"id":"t-9","amount":10.0,"currency":"EUR","status":"SUCCESSFUL","foreign_transaction_id":"f-1"}""");

        Assert.Equal(AttemptFinding.Paid, (await FindAsync(answers)).Finding);
    }

    [Fact]
    public async Task A_sale_of_that_amount_that_is_somebody_elses_proves_nothing_against_it()
    {
        var answers = Proof();
        answers["history"] = (200, Sale);
        answers["id"] = (200, """{"id":"t-9","amount":10.0,"currency":"EUR","status":"SUCCESSFUL","foreign_transaction_id":"another"}""");

        Assert.Equal(AttemptFinding.NotPaid, (await FindAsync(answers)).Finding);
    }

    [Theory]
    [InlineData("FAILED", "declined")]
    [InlineData("CANCELLED", "canceled")]
    public async Task A_declined_transaction_ends_it_unless_the_checkout_says_otherwise(string status, string reason)
    {
        var answers = Proof();
        answers["foreign"] = (200, Mine.Replace("STATUS", status, StringComparison.Ordinal));
        Assert.Equal((AttemptFinding.Declined, reason), await FindAsync(answers, TimeSpan.FromSeconds(1)) is var result ? (result.Finding, result.Reason) : default);

        answers["checkout"] = (200, """{"data":{"checkout_id":"k-1","status":"successful"}}""");
        Assert.Equal(AttemptFinding.Unclear, (await FindAsync(answers)).Finding);
    }

    private async Task<AttemptResult> FindAsync(
        Dictionary<string, (int Status, string Body)> answers, TimeSpan? age = null, TimeSpan? terminatedAge = null)
    {
        await using var scene = await TerminalScene.OpenAsync(fixture);
        using var client = new SumUpClient(
            new SumUpClientOptions { ApiKey = "k", MerchantCode = "M", AffiliateKey = "a", AppId = "b", UserAgent = "jobs-tests" },
            NullLogger<SumUpClient>.Instance,
            new Answers(answers));
        var attempt = new TerminalAttempt
        {
            Id = 1,
            ClientReference = "f-1",
            ClientTransactionId = "c-1",
            CheckoutId = "k-1",
            ProviderReaderId = "rdr_1",
            AmountMinor = 1000,
            Currency = "eur",
            SentAt = Sent,
        };
        return await new AttemptResults(client, scene.Db).FindAsync(attempt, age ?? Patience, terminatedAge, Patience, TestContext.Current.CancellationToken);
    }

    private sealed class Answers(Dictionary<string, (int Status, string Body)> answers) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var path = request.RequestUri!.PathAndQuery;
            var question = path.Contains("/history", StringComparison.Ordinal) ? "history"
                : path.Contains("foreign_transaction_id=", StringComparison.Ordinal) ? "foreign"
                : path.Contains("client_transaction_id=", StringComparison.Ordinal) ? "client"
                : path.Contains("/transactions?id=", StringComparison.Ordinal) ? "id"
                : path.Contains("/checkout/", StringComparison.Ordinal) ? "checkout"
                : "status";
            var (status, body) = answers[question];
            return Task.FromResult(new HttpResponseMessage((HttpStatusCode)status) { Content = new StringContent(body, Encoding.UTF8, "application/json") });
        }
    }
}
