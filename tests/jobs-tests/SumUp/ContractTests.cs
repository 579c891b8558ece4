using Jobs.SumUp;
using Jobs.Tests.OpenApi;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.SumUp;

/// <summary>Every request that the client sends, and every answer that the fake gives it, held against SumUp's own description of its API.</summary>
public sealed class ContractTests
{
    [Theory]
    [InlineData("a day at the desk")]
    [InlineData("refusals")]
    public async Task SumUp_knows_every_request_and_would_give_every_answer(string story)
    {
        var description = SumUpApiDescription.FoundOrSkip();
        var merchant = await SumUpMerchant.CreateAsync();
        using var client = merchant.Client();
        await merchant.SetClockAsync(new DateTimeOffset(2026, 11, 20, 12, 0, 0, TimeSpan.Zero));
        await (story == "refusals" ? RefusalsAsync(merchant, client) : DayAsync(merchant, client));
        var requests = await merchant.RequestsAsync();
        Assert.True(requests.Count > 8);
        var violations = requests.SelectMany(request =>
            description.CheckRequest(request.Method, request.Path, request.Query, request.Body)
                .Concat(description.CheckResponse(request.Method, request.Path, request.Status, request.Answer, request.Answer.Contains("/problem/", StringComparison.Ordinal) && !request.Path.Contains("/transactions", StringComparison.Ordinal)))
                .Select(violation => $"{request.Method} {request.Path} {request.Status} {violation}"));
        Assert.Empty(violations);
    }

    [Theory]
    [InlineData("POST", "/v0.1/merchants/M/readers/rdr_1/checkout", "", """{"total_amount":{"value":1,"currency":"EUR"}}""", "$.total_amount.minor_unit: is missing")]
    [InlineData("POST", "/v0.1/merchants/M/readers/rdr_1/checkout", "", """{"total_amount":{"value":1.5,"currency":"EUR","minor_unit":2}}""", "$.total_amount.value: is Number, not integer")]
    [InlineData("GET", "/v2.1/merchants/M/transactions/history", "statuses%5B%5D=PAID", "", "?statuses[]: 'PAID' is not one of its values")]
    [InlineData("GET", "/v2.1/merchants/M/transactions", "reference=1", "", "?reference: is not a parameter")]
    [InlineData("PUT", "/v2.1/merchants/M/transactions", "", "", "PUT /v2.1/merchants/M/transactions: is not in the description")]
    public void The_judge_is_able_to_say_no(string method, string path, string query, string body, string violation) =>
        Assert.Contains(violation, SumUpApiDescription.FoundOrSkip().CheckRequest(method, path, query, body));

    private static async Task DayAsync(SumUpMerchant merchant, SumUpClient client)
    {
        var paired = await client.CreateReaderAsync(await merchant.PairingCodeAsync("SOLO-2"), "Bar");
        await client.ListReadersAsync();
        await client.FindReaderAsync(paired.Id);
        await client.FindReaderStatusAsync(paired.Id);
        await merchant.ScriptAsync("SOLO-2", new { tip = 100, after_ms = 100 });
        var checkout = await client.CreateReaderCheckoutAsync(paired.Id, Stub.Checkout);
        await client.FindReaderCheckoutAsync(paired.Id, checkout.CheckoutId!);
        await client.TerminateReaderCheckoutAsync(paired.Id);
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(500));
        await client.FindReaderCheckoutAsync(paired.Id, checkout.CheckoutId!);
        var paid = (await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!;
        await client.FindTransactionAsync(TransactionKey.Client(checkout.ClientTransactionId));
        await client.FindTransactionAsync(TransactionKey.Code(paid.TransactionCode!));
        await client.RefundAsync(paid.Id, 500, "eur");
        await client.RefundAsync(paid.Id, null, "eur");
        await client.FindTransactionAsync(TransactionKey.Id(paid.Id));
        var all = new TransactionHistoryOptions
        {
            Order = "descending",
            Limit = 1,
            Statuses = ["SUCCESSFUL", "REFUNDED"],
            Types = ["PAYMENT", "REFUND"],
            ChangesSince = DateTimeOffset.UnixEpoch,
            OldestTime = DateTimeOffset.UnixEpoch,
            NewestTime = DateTimeOffset.UnixEpoch.AddYears(100),
        };
        Assert.Equal(3, await client.ListTransactionsAsync(all).CountAsync());
        await client.DeleteReaderAsync(paired.Id);
    }

    private static async Task RefusalsAsync(SumUpMerchant merchant, SumUpClient client)
    {
        var reader = merchant.Readers[0].Id;
        var code = await merchant.PairingCodeAsync("SOLO-2");
        await client.CreateReaderAsync(code, "Bar");
        await RefusedAsync(() => client.CreateReaderAsync(code, "Bar"));
        await RefusedAsync(() => client.CreateReaderAsync("WRONG123", "Bar"));
        await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout with { Currency = "usd" }));
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout));
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(300));
        await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout));
        await merchant.SetOnlineAsync("SOLO-1", online: false);
        await RefusedAsync(() => client.TerminateReaderCheckoutAsync(reader));
        await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout));
        await client.FindReaderStatusAsync(reader);
        const string gone = "rdr_00000000000000000000000000";
        await client.FindReaderAsync(gone);
        await client.FindReaderStatusAsync(gone);
        await client.FindReaderCheckoutAsync(reader, "00000000-0000-0000-0000-000000000000");
        await RefusedAsync(() => client.TerminateReaderCheckoutAsync(gone));
        await client.FindTransactionAsync(TransactionKey.Foreign("f-9"));
        await RefusedAsync(() => client.RefundAsync("00000000-0000-0000-0000-000000000000", null, "eur"));
        await merchant.FaultAsync("status_before:401");
        await RefusedAsync(() => client.ListReadersAsync());
        await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout));
        await RefusedAsync(() => client.FindReaderStatusAsync(reader));
        await RefusedAsync(() => client.FindTransactionAsync(TransactionKey.Foreign("f-9")));
    }

    private static Task<SumUpException> RefusedAsync(Func<Task> call) => Assert.ThrowsAsync<SumUpException>(call);
}
