using Jobs.SumUp;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.SumUp;

/// <summary>The client at the fake: what the fake promises of SumUp's behaviour, hazards included.</summary>
public sealed class FakeSumUpTests
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);

    [Fact]
    public async Task A_card_is_approved_and_found_by_all_four_ids()
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ScriptAsync("SOLO-1", new { tip = 150, processing_ms = 100 });
        var checkout = await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
        Assert.True((await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!.IsPending);
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(250));
        Assert.Equal("WAITING_FOR_CARD", (await client.FindReaderStatusAsync(reader))!.State);
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(150));
        Assert.Equal("PENDING", (await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.Status);
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(100));
        var paid = (await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!;
        Assert.Equal(
            (true, 1400L, 150L, "eur", "f-1", checkout.ClientTransactionId, "4242", 0L),
            (paid.IsPaid, paid.AmountMinor, paid.TipMinor, paid.Currency, paid.ForeignTransactionId, paid.ClientTransactionId, paid.CardLast4, paid.RefundedMinor));
        Assert.Equal(Noon.AddMilliseconds(400), paid.Timestamp);
        Assert.Equal(paid.Id, (await client.FindTransactionAsync(TransactionKey.Client(checkout.ClientTransactionId)))!.Id);
        Assert.Equal(paid.Id, (await client.FindTransactionAsync(TransactionKey.Id(paid.Id)))!.Id);
        Assert.Equal(paid.Id, (await client.FindTransactionAsync(TransactionKey.Code(paid.TransactionCode!)))!.Id);
        var state = (await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!;
        Assert.Equal((true, 1250L, "eur", "SOLO-1"), (state.IsSuccessful, state.AmountMinor!.Value, state.Currency, state.ReaderSerial));
        Assert.Equal((1, 1400L), ((await merchant.LedgerAsync()).Count, (await merchant.LedgerAsync()).Total));
    }

    [Theory]
    [InlineData("decline", "failed", "FAILED")]
    [InlineData("cancel_key", "failed", "FAILED")]
    [InlineData("customer_timeout", "cancelled", null)]
    [InlineData("never_starts", "cancelled", null)]
    [InlineData("none", "cancelled", null)]
    public async Task Nobody_paid(string outcome, string checkoutStatus, string? transactionStatus)
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ScriptAsync("SOLO-1", new { outcome });
        var checkout = await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromMinutes(6));
        var state = (await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!;
        Assert.Equal((checkoutStatus, true), (state.Status, state.IsNotPaid));
        Assert.Equal(transactionStatus, (await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))?.Status);
        Assert.Equal(0, (await merchant.LedgerAsync()).Count);
    }

    [Fact]
    public async Task A_resend_is_a_second_payment_once_the_reader_is_free()
    {
        var (merchant, client, reader) = await DeskAsync();
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        Assert.Equal(SumUpErrorKind.ReaderBusy, (await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout))).Kind);
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(300));
        Assert.Equal(SumUpErrorKind.Unprocessable, (await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout))).Kind);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(2, (await merchant.LedgerAsync()).ByForeignId["f-1"]);
    }

    [Fact]
    public async Task A_lost_answer_is_found_by_our_own_id()
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.FaultAsync("drop_after", "/checkout$", nth: 1);
        Assert.True((await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout))).MayHaveHappened);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.True((await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.IsPaid);
        Assert.Single(await merchant.RequestsAsync(), request => request.Method == "POST");
    }

    [Theory]
    [InlineData("drop_before", 0)]
    [InlineData("status_before:500", 0)]
    [InlineData("status_after:503", 1)]
    [InlineData("truncated_body", 1)]
    [InlineData("half_json", 1)]
    [InlineData("html", 1)]
    [InlineData("empty", 1)]
    public async Task Whatever_befalls_a_checkout_it_is_sent_once_and_in_doubt(string fault, int paid)
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.FaultAsync(fault, "/checkout$");
        Assert.True((await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout))).MayHaveHappened);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(paid, (await merchant.LedgerAsync()).Count);
        Assert.Single(await merchant.RequestsAsync());
    }

    [Theory]
    [InlineData("status_before:401", SumUpErrorKind.Unauthorized)]
    [InlineData("status_before:403", SumUpErrorKind.Forbidden)]
    [InlineData("status_before:404", SumUpErrorKind.NotFound)]
    [InlineData("status_before:429", SumUpErrorKind.RateLimited)]
    public async Task A_refusal_in_the_middle_did_nothing(string fault, SumUpErrorKind kind)
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.FaultAsync(fault, "/checkout$", nth: 1);
        var e = await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout));
        Assert.Equal((kind, false), (e.Kind, e.MayHaveHappened));
        Assert.NotNull(await client.CreateReaderCheckoutAsync(reader, Stub.Checkout));
    }

    [Fact]
    public async Task Terminate_ends_what_waits_for_a_card()
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ScriptAsync("SOLO-1", new { outcome = "none" });
        var checkout = await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        await client.TerminateReaderCheckoutAsync(reader);
        Assert.True((await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!.IsPending);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.Equal("cancelled", (await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!.Status);
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
        Assert.True((await client.FindReaderStatusAsync(reader))!.IsIdle);
    }

    [Fact]
    public async Task A_terminate_loses_against_the_card()
    {
        var (merchant, client, reader) = await DeskAsync();
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromMilliseconds(400));
        await client.TerminateReaderCheckoutAsync(reader);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.True((await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.IsPaid);
    }

    [Fact]
    public async Task A_late_terminate_kills_the_next_sale()
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ConfigureAsync(new { terminate_ms = 2000 });
        await merchant.ScriptAsync("SOLO-1", new { outcome = "decline" }, new { after_ms = 30_000 });
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await client.TerminateReaderCheckoutAsync(reader);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout with { ForeignTransactionId = "f-2" });
        await merchant.AdvanceAsync(TimeSpan.FromMinutes(1));
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-2")));
    }

    [Fact]
    public async Task A_reader_that_goes_offline_midway_tells_later()
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ScriptAsync("SOLO-1", new { offline_after_ms = 100, result_after_ms = 600_000 });
        var checkout = await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromMinutes(6));
        var status = (await client.FindReaderStatusAsync(reader))!;
        Assert.False(status.IsOnline);
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
        Assert.Equal("cancelled", (await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!.Status);
        Assert.Equal(SumUpErrorKind.ReaderOffline, (await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout))).Kind);
        Assert.Equal(SumUpErrorKind.ReaderOffline, (await RefusedAsync(() => client.TerminateReaderCheckoutAsync(reader))).Kind);
        await merchant.AdvanceAsync(TimeSpan.FromMinutes(6));
        Assert.True((await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.IsPaid);
        Assert.True((await client.FindReaderStatusAsync(reader))!.IsOnline);
        Assert.True((await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!.IsSuccessful);
    }

    [Fact]
    public async Task A_real_payment_may_be_missing_for_a_while()
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ScriptAsync("SOLO-1", new { visible_after_ms = 5000 });
        var checkout = await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        Assert.True((await client.FindReaderCheckoutAsync(reader, checkout.CheckoutId!))!.IsSuccessful);
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(5));
        await merchant.FaultAsync("status_before:404", "/transactions$", times: 2);
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
        Assert.Null(await client.FindTransactionAsync(TransactionKey.Client(checkout.ClientTransactionId)));
        Assert.NotNull(await client.FindTransactionAsync(TransactionKey.Foreign("f-1")));
    }

    [Fact]
    public async Task Pairing_anew_gives_the_same_device_another_id()
    {
        var (merchant, client, reader) = await DeskAsync();
        await client.DeleteReaderAsync(reader);
        Assert.Null(await client.FindReaderAsync(reader));
        Assert.Equal(SumUpErrorKind.NotFound, (await RefusedAsync(() => client.CreateReaderCheckoutAsync(reader, Stub.Checkout))).Kind);
        var code = await merchant.PairingCodeAsync("SOLO-1", confirmAfterMs: 1000);
        var paired = await client.CreateReaderAsync($" {code[..4]}-{code[4..].ToLowerInvariant()}", "Desk");
        Assert.Equal(("SOLO-1", "processing"), (paired.Serial, paired.Status));
        Assert.NotEqual(reader, paired.Id);
        Assert.Equal(SumUpErrorKind.Conflict, (await RefusedAsync(() => client.CreateReaderAsync(code, "Desk"))).Kind);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(2));
        Assert.True((await client.FindReaderAsync(paired.Id))!.IsPaired);
        var late = await merchant.PairingCodeAsync("SOLO-2");
        await merchant.AdvanceAsync(TimeSpan.FromMinutes(6));
        Assert.Equal(SumUpErrorKind.NotFound, (await RefusedAsync(() => client.CreateReaderAsync(late, "Late"))).Kind);
        Assert.Equal("SOLO-1", Assert.Single(await client.ListReadersAsync()).Serial);
    }

    [Theory]
    [InlineData(201)]
    [InlineData(204)]
    public async Task Every_refund_is_carried_out_and_seen_in_the_events(int status)
    {
        var (merchant, client, reader) = await DeskAsync();
        await merchant.ConfigureAsync(new { refund_status = status });
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        var id = (await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!.Id;
        await client.RefundAsync(id, 435, "eur");
        await client.RefundAsync(id, 435, "eur");
        Assert.Equal((870L, "REFUNDED"), ((await client.FindTransactionAsync(TransactionKey.Id(id)))!.RefundedMinor, (await client.FindTransactionAsync(TransactionKey.Id(id)))!.Status));
        Assert.Equal(SumUpErrorKind.InvalidRequest, (await RefusedAsync(() => client.RefundAsync(id, 435, "eur"))).Kind);
        await client.RefundAsync(id, null, "eur");
        Assert.Equal(SumUpErrorKind.Conflict, (await RefusedAsync(() => client.RefundAsync(id, null, "eur"))).Kind);
        Assert.Equal(1250, (await merchant.LedgerAsync()).Refunded);
        await merchant.ConfigureAsync(new { without_events = true });
        Assert.Null((await client.FindTransactionAsync(TransactionKey.Id(id)))!.RefundedMinor);
    }

    [Theory]
    [InlineData("ascending")]
    [InlineData("descending")]
    public async Task The_history_has_everybodys_payments_in_order_and_in_pages(string order)
    {
        var (merchant, client, reader) = await DeskAsync();
        for (var i = 0; i < 5; i++)
        {
            await client.CreateReaderCheckoutAsync(reader, Stub.Checkout with { ForeignTransactionId = $"f-{i}", AmountMinor = 100 + i });
            await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        }

        await merchant.StrangerAsync("SOLO-1", 700);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        await merchant.ScriptAsync("SOLO-1", new { outcome = "decline" });
        await client.CreateReaderCheckoutAsync(reader, Stub.Checkout);
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        var options = new TransactionHistoryOptions { Order = order, Limit = 2, Types = ["PAYMENT"], Statuses = ["SUCCESSFUL", "REFUNDED"], OldestTime = Noon.AddSeconds(1) };
        var amounts = await client.ListTransactionsAsync(options).Select(item => item.AmountMinor).ToListAsync();
        long[] expected = [101, 102, 103, 104, 700];
        Assert.Equal(order == "ascending" ? expected : expected.Reverse(), amounts);
        Assert.Equal(3, (await merchant.RequestsAsync()).Count(request => request.Path.EndsWith("/history", StringComparison.Ordinal)));
        Assert.Equal(7, await client.ListTransactionsAsync(new()).CountAsync());
    }

    [Fact]
    public async Task A_currency_without_decimals_goes_there_and_back()
    {
        var merchant = await SumUpMerchant.CreateInAsync("HUF");
        using var client = merchant.Client();
        await merchant.SetClockAsync(Noon);
        await client.CreateReaderCheckoutAsync(merchant.Readers[0].Id, Stub.Checkout with { Currency = "huf", AmountMinor = 125_000 });
        await merchant.AdvanceAsync(TimeSpan.FromSeconds(1));
        var paid = (await client.FindTransactionAsync(TransactionKey.Foreign("f-1")))!;
        Assert.Equal((125_000L, "huf", 1250L), (paid.AmountMinor, paid.Currency, (await merchant.LedgerAsync()).Total));
    }

    [Fact]
    public async Task One_merchant_knows_nothing_of_another()
    {
        var (one, client, reader) = await DeskAsync();
        var (_, stranger, _) = await DeskAsync();
        Assert.Null(await stranger.FindReaderAsync(reader));
        using var wrong = new SumUpClient(
            new SumUpClientOptions { ApiKey = "sup_sk_wrong", MerchantCode = one.Code, ApiBase = one.Base }, Microsoft.Extensions.Logging.Abstractions.NullLogger<SumUpClient>.Instance);
        Assert.Equal(SumUpErrorKind.Unauthorized, (await RefusedAsync(() => wrong.ListReadersAsync())).Kind);
        Assert.Single(await client.ListReadersAsync());
    }

    [Fact]
    public async Task On_real_time_a_payment_takes_as_long_as_its_script_says()
    {
        var merchant = await SumUpMerchant.CreateInAsync("EUR", new { script = new { start_after_ms = 0, after_ms = 50 } });
        using var client = merchant.Client();
        await client.CreateReaderCheckoutAsync(merchant.Readers[0].Id, Stub.Checkout);
        await Eventually.HoldsAsync(async () => await client.FindTransactionAsync(TransactionKey.Foreign("f-1")) is not null, TimeSpan.FromSeconds(10));
    }

    private static async Task<(SumUpMerchant Merchant, SumUpClient Client, string Reader)> DeskAsync()
    {
        var merchant = await SumUpMerchant.CreateAsync();
        await merchant.SetClockAsync(Noon);
        return (merchant, merchant.Client(), merchant.Readers[0].Id);
    }

    private static Task<SumUpException> RefusedAsync(Func<Task> call) => Assert.ThrowsAsync<SumUpException>(call);
}
