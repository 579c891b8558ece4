using Jobs.Tests.Rig;
using Jobs.Tests.Subscriptions;
using Jobs.Tests.Terminals;
using Xunit;

namespace Jobs.Tests.Acting;

/// <summary>Card payments whose result nobody knows, settled by hand beside the job that asks for it.</summary>
public sealed class TerminalResultTests(PostgresFixture fixture)
{
    private static Task LoseAsync(JobWorld world, long payment, TimeSpan? ago = null) => world.ExecuteAsync(
        """
        WITH place AS (
            UPDATE payment_queue SET status = 'unknown', reason = 'no_answer', terminal_id = 1, client_reference = 'ref ' || payment_id, attempts = 1, started_at = now() - @ago
            WHERE payment_id = @payment RETURNING *),
        reader AS (UPDATE payment_terminals SET status = 'busy' WHERE id = 1)
        INSERT INTO terminal_attempts (queue_id, payment_id, terminal_id, provider_reader_id, client_reference, amount_minor, currency, sent_at)
        SELECT place.id, @payment, 1, (SELECT provider_reader_id FROM payment_terminals WHERE id = 1), place.client_reference, 1000, 'eur', now() - @ago FROM place
        """,
        new { payment, ago = ago ?? TimeSpan.FromHours(1) });

    [Fact]
    public async Task What_SumUp_cannot_prove_is_settled_as_not_paid_and_reader_and_payer_are_free()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        var payment = await scene.QueueAsync("ben");
        await LoseAsync(scene.World, payment);

        Assert.Equal("settled", (await scene.World.ResolveAsync($"terminal {payment}", "not-paid")).Outcome());
        Assert.Equal("unchanged", (await scene.World.ResolveAsync($"terminal {payment}", "not-paid")).Outcome());

        Assert.Equal(("failed", "failed settled_by_hand"), (await scene.PaymentAsync(payment), await scene.PlaceAsync(payment)));
        Assert.Equal([$"payment.settled_by_hand payment {payment}", $"payment.failed payment {payment}"], await scene.World.DeedsAsync());
        await scene.SettledAsync();
    }

    [Fact]
    public async Task What_SumUp_has_taken_cannot_be_called_unpaid_and_is_booked_as_the_job_books_it()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        var payment = await scene.QueueAsync("ben");
        await scene.Merchant.FaultAsync("drop_after", "/checkout$", "POST", nth: 1);
        await scene.Merchant.FaultAsync("drop_before", "/transactions", "GET", times: 500);
        scene.World.Environment["JOBS_TERMINAL_FAILURES"] = "1000";
        await scene.RunAsync("--timeout", "4s");
        await scene.Merchant.ClearFaultsAsync();
        await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'unknown'; UPDATE terminal_attempts SET sent_at = now() - interval '1 hour' WHERE settled_at IS NULL");
        Assert.Equal(1, (await scene.Merchant.LedgerAsync()).Count);

        Assert.Contains("it was paid; settle it --as paid", (await scene.World.ResolveAsync($"terminal {payment}", "not-paid")).Refusal(), StringComparison.Ordinal);
        var job = scene.RunAsync();
        var results = await Task.WhenAll(scene.World.ResolveAsync($"terminal {payment}", "paid"), scene.World.ResolveAsync($"terminal {payment}", "paid"));
        await job;

        Assert.All(results, r => Assert.Contains(r.Outcome(), new[] { "settled", "unchanged" }));
        Assert.Equal("succeeded", await scene.PaymentAsync(payment));
        Assert.Contains("was settled as paid meanwhile", (await scene.World.ResolveAsync($"terminal {payment}", "not-paid")).Refusal(), StringComparison.Ordinal);
        await scene.SettledAsync();
    }

    [Fact]
    public async Task By_the_code_on_the_receipt_a_payment_without_a_reference_is_booked()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        var payment = await scene.QueueAsync("ben");
        await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'unknown', reason = 'no_reference', started_at = now() - interval '1 hour'");

        Assert.Contains("give its --transaction CODE", (await scene.World.ResolveAsync($"terminal {payment}", "paid")).Refusal(), StringComparison.Ordinal);
        Assert.Contains("SumUp does not know TX1", (await scene.World.ResolveAsync($"terminal {payment}", "paid", "--transaction", "TX1")).Refusal(), StringComparison.Ordinal);
        var before = await scene.World.StateAsync();
        Assert.Equal("settled", (await scene.World.ResolveAsync($"terminal {payment}", "paid", "--transaction", "TX1", "--without-asking", "--dry-run")).Outcome());
        Assert.Equal(before, await scene.World.StateAsync());
        Assert.Equal("settled", (await scene.World.ResolveAsync($"terminal {payment}", "paid", "--transaction", "TX1", "--without-asking")).Outcome());
        Assert.Equal("unchanged", (await scene.World.ResolveAsync($"terminal {payment}", "paid", "--transaction", "TX1", "--without-asking")).Outcome());

        Assert.Equal(("succeeded", "done "), (await scene.PaymentAsync(payment), await scene.PlaceAsync(payment)));
        Assert.Equal(1, await scene.World.ScalarAsync<long>("SELECT count(*) FROM receipts"));
        Assert.Equal(0, await scene.World.ScalarAsync<long>("SELECT count(*) FROM terminal_attempts WHERE settled_at IS NULL"));
    }

    [Fact]
    public async Task One_transaction_does_not_pay_twice()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        var (first, second) = (await scene.QueueAsync("ben"), await scene.QueueAsync("cem"));
        await LoseAsync(scene.World, first);
        Assert.Equal("settled", (await scene.World.ResolveAsync($"terminal {first}", "paid", "--transaction", "TX1", "--without-asking")).Outcome());
        await LoseAsync(scene.World, second);
        Assert.Contains("paid for something else already", (await scene.World.ResolveAsync($"terminal {second}", "paid", "--transaction", "TX1", "--without-asking")).Refusal(), StringComparison.Ordinal);
        Assert.Equal("pending", await scene.PaymentAsync(second));
    }

    [Fact]
    public async Task What_waits_or_is_at_a_reader_has_no_result_to_settle()
    {
        await using var scene = await CounterScene.OpenAsync(fixture);
        var payment = await scene.QueueAsync("ben");
        Assert.Contains("is waiting in the queue", (await scene.World.ResolveAsync($"terminal {payment}", "not-paid")).Refusal(), StringComparison.Ordinal);
        await LoseAsync(scene.World, payment);
        await scene.World.ExecuteAsync("UPDATE payment_queue SET status = 'processing'");
        Assert.Contains("is at a reader", (await scene.World.ResolveAsync($"terminal {payment}", "not-paid")).Refusal(), StringComparison.Ordinal);
        Assert.Equal("pending", await scene.World.StatusAsync("payments", payment));
    }
}
