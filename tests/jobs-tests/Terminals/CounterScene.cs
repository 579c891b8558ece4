using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Terminals;

/// <summary>A counter: a world with the readers of a SumUp account of its own, and process-payment-queue as it runs every minute.</summary>
internal sealed class CounterScene : IAsyncDisposable
{
    public CounterScene(JobWorld world, SumUpMerchant merchant) => (World, Merchant) = (world, merchant);

    public JobWorld World { get; }
    public SumUpMerchant Merchant { get; }

    /// <summary>Readers are called as their devices; times are short.</summary>
    public static async Task<CounterScene> OpenAsync(PostgresFixture fixture, params string[] serials) =>
        await OpenInAsync(await fixture.DeskAsync(), serials);

    public static async Task<CounterScene> OpenInAsync(JobWorld world, params string[] serials)
    {
        var merchant = await SumUpMerchant.CreateInAsync(
            "EUR", new { card_wait_ms = 400, start_window_ms = 1500, valid_ms = 2500, terminate_ms = 50, script = new { start_after_ms = 20, after_ms = 80 } }, serials);
        merchant.OpenTo(world.Environment);
        world.Environment["JOBS_TERMINAL_POLL_EVERY"] = "100ms";
        world.Environment["JOBS_TERMINAL_NOT_PAID_AFTER"] = "1s";
        foreach (var reader in merchant.Readers)
            await world.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES (@Serial, @Id)", reader);
        return new(world, merchant);
    }

    /// <summary>10.00 EUR of a payer of their own, for nothing in particular; its payment.</summary>
    public async Task<long> QueueAsync(string payer, long amountMinor = 1000)
    {
        var user = await World.ScalarAsync<long?>("SELECT id FROM users WHERE name = @payer", new { payer }) ?? await World.PersonAsync(payer);
        return await QueueAsync(user, amountMinor, payer);
    }

    public async Task<long> QueueAsync(long user, long amountMinor, string reference)
    {
        await using var source = World.Source();
        var queued = await new PaymentService(new Db(source), TerminalScene.Paris).QueueAsync(
            new ManualPayment
            {
                UserId = user,
                AmountMinor = amountMinor,
                Currency = "eur",
                Method = "card_terminal",
                Purpose = "other",
                RecordedBy = MemberScene.Desk,
                Reference = $"{reference} {Guid.NewGuid():N}",
            },
            new Origin("counter", null, DateTime.UtcNow));
        return queued.PaymentId!.Value;
    }

    public Task<JobResult> RunAsync(params string[] args) => World.RunAsync("process-payment-queue", args);

    public Task<string> PaymentAsync(long payment) => World.ScalarAsync<string>("SELECT status FROM payments WHERE id = @payment", new { payment });

    public Task<string> PlaceAsync(long payment) =>
        World.ScalarAsync<string>("SELECT status || ' ' || reason FROM payment_queue WHERE payment_id = @payment", new { payment });

    public Task<string> TerminalAsync(string serial) =>
        World.ScalarAsync<string>("SELECT status || ' ' || last_error FROM payment_terminals WHERE name = @serial", new { serial });

    /// <summary>Until a payment has come to a reader.</summary>
    public Task AtReaderAsync() => World.UntilAsync("SELECT EXISTS (SELECT FROM terminal_attempts WHERE client_transaction_id IS NOT NULL)");

    public Task<int> AskedAsync() => CountAsync("/checkout");

    private async Task<int> CountAsync(string end) =>
        (await Merchant.RequestsAsync()).Count(r => r.Method == "POST" && r.Path.EndsWith(end, StringComparison.Ordinal));

    /// <summary>Nothing is held, every payment taken is on the books exactly once, and none is on the books that was not taken.</summary>
    public async Task SettledAsync()
    {
        Assert.Equal(0, await World.ScalarAsync<long>("SELECT count(*) FROM leases WHERE name LIKE 'payment:%'"));
        Assert.Equal(0, await World.ScalarAsync<long>("SELECT count(*) FROM terminal_attempts WHERE settled_at IS NULL"));
        Assert.Equal(0, await World.ScalarAsync<long>("SELECT count(*) FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown')"));
        Assert.Equal(0, await World.ScalarAsync<long>("SELECT count(*) FROM payment_terminals WHERE status = 'busy'"));
        await BooksAgreeAsync();
    }

    public async Task BooksAgreeAsync()
    {
        var ledger = await Merchant.LedgerAsync();
        var ours = ledger.Payments.Where(p => p.ForeignTransactionId is not null).ToList();
        Assert.DoesNotContain(ledger.ByForeignId, pair => pair.Key.Length > 0 && pair.Value > 1);
        var booked = (await World.QueryAsync(
            "SELECT provider_payment_id, amount_minor FROM payments WHERE status IN ('succeeded', 'refunded') AND provider = 'sumup'"))
            .ToDictionary(row => (string)row.provider_payment_id, row => (long)row.amount_minor, StringComparer.Ordinal);
        var parked = (await World.QueryAsync("SELECT provider_payment_id FROM unmatched_payments WHERE resolved_at IS NULL")).Select(row => (string)row.provider_payment_id).ToList();
        Assert.Equal(
            ours.Select(p => p.TransactionId).Order(StringComparer.Ordinal),
            booked.Keys.Concat(parked).Order(StringComparer.Ordinal));
        Assert.All(ours.Where(p => booked.ContainsKey(p.TransactionId)), p => Assert.Equal(p.Value, booked[p.TransactionId]));
        var receipts = (await World.QueryAsync("SELECT number FROM receipts ORDER BY number")).Select(row => (string)row.number).ToList();
        Assert.Equal(
            Enumerable.Range(1, receipts.Count).Select(n => string.Create(CultureInfo.InvariantCulture, $"{receipts[0][..4]}-{n:D6}")), receipts);
        Assert.Equal(booked.Count, receipts.Count);
    }

    public ValueTask DisposeAsync() => World.DisposeAsync();
}
