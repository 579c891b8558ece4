using Jobs.Billing;
using Jobs.Database;
using Jobs.Terminals;
using Jobs.Tests.Members;
using Jobs.Tests.Rig;
using Npgsql;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Terminals;

/// <summary>The desk of <see cref="MemberScene"/> with a card terminal, and the services as an application has them.</summary>
internal sealed class TerminalScene : IAsyncDisposable
{
    public static readonly BusinessZone Paris = new("Europe/Paris");

    private readonly NpgsqlDataSource _source;

    private TerminalScene(JobWorld world)
    {
        World = world;
        _source = world.Source();
        Db = new Db(_source);
        Payments = new PaymentService(Db, Paris);
    }

    public JobWorld World { get; }
    public Db Db { get; }
    public PaymentService Payments { get; }

    public TerminalFulfilment Terminals { get; } = new(new Granting(
        Paris, new SubscriptionFulfilment(Paris, RenewalPolicy.Default), new OrderFulfilment(Paris, "staff@example.test"), new MembershipFulfilment(Paris)));

    public static async Task<TerminalScene> OpenAsync(PostgresFixture fixture)
    {
        var world = await fixture.DeskAsync();
        await world.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES ('bar', 'rdr_1')");
        return new(world);
    }

    public static ManualPayment Card(string purpose, long amountMinor, string reference = "desk 7") =>
        MemberScene.Cash(purpose, amountMinor, reference) with { Method = "card_terminal" };

    public static ManualPayment Basic(string reference = "desk 7") => Card("membership", 100, reference) with { MembershipType = "basic" };

    public static ManualPayment Order(long order, string reference = "desk 7") => Card("order", 1000, reference) with { OrderId = order };

    public static ManualPayment Monthly(string reference = "desk 7") => Card("subscription", 1000, reference) with { Plan = "monthly" };

    public Task<QueuedPayment> QueueAsync(ManualPayment payment, DateTime? now = null) => Payments.QueueAsync(payment, MemberScene.At(now ?? Morning));

    /// <summary>Its id, once it is in the queue.</summary>
    public async Task<long> QueuedAsync(ManualPayment payment, string status = "waiting")
    {
        var queued = await QueueAsync(payment);
        await World.ExecuteAsync("UPDATE payment_queue SET status = @status WHERE id = @QueueId AND status <> @status", new { status, queued.QueueId });
        return queued.PaymentId!.Value;
    }

    /// <summary>What came of it: a reason for programs, or null.</summary>
    public static async Task<string?> ReasonAsync(Func<Task> work)
    {
        try
        {
            await work();
            return null;
        }
        catch (RefusedException e)
        {
            return e.Reason;
        }
    }

    public Task<T> DoAsync<T>(Func<Tx, Task<T>> work) => Db.TransactionAsync(work, CancellationToken.None);

    public static Received Charged(long amountMinor = 1000, string transaction = "tx_1", string currency = "eur") =>
        new(amountMinor, currency, "card_terminal") { Provider = "sumup", ProviderPaymentId = transaction };

    public Task<ApprovalOutcome> ApproveAsync(long payment, Received received, DateTime? now = null) =>
        DoAsync(tx => Terminals.ApproveAsync(tx, MemberScene.At(now ?? Morning), payment, received));

    public async Task<string?> StillWantedAsync(long payment) =>
        (await DoAsync(tx => Terminals.StillWantedAsync(tx, MemberScene.At(Morning), payment)))?.Reason;

    public Task<dynamic> PaymentAsync(long id) => World.RowAsync("payments", id);

    public Task<dynamic> PlaceAsync(long payment) => World.OneAsync("SELECT * FROM payment_queue WHERE payment_id = @payment", new { payment });

    public async ValueTask DisposeAsync()
    {
        await _source.DisposeAsync();
        await World.DisposeAsync();
    }
}
