using System.Globalization;
using static Jobs.Demo.Story;

namespace Jobs.Demo;

/// <summary>The ledgers of Stripe and SumUp, all of them, against what the database says.</summary>
internal sealed class Reconciliation(Stage stage, Checks checks)
{
    public async Task ShowAsync()
    {
        var ledger = await stage.Stripe.LedgerAsync();
        var provider = ledger.Json.GetProperty("total").EnumerateObject().ToDictionary(c => c.Name, c => c.Value.GetInt64(), StringComparer.Ordinal);
        var booked = await stage.Database.NumbersAsync(
            "SELECT currency, sum(amount_minor)::bigint FROM payments WHERE provider = 'stripe' AND status IN ('succeeded', 'refunded', 'disputed') GROUP BY 1");
        var parked = await stage.Database.NumbersAsync(
            "SELECT data ->> 'currency', sum((data ->> 'amount_minor')::bigint)::bigint FROM unmatched_payments WHERE resolved_at IS NULL GROUP BY 1");
        foreach (var (currency, taken) in provider.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            var here = booked.GetValueOrDefault(currency);
            var aside = parked.GetValueOrDefault(currency);
            checks.Show(
                taken == here + aside, $"every {currency.ToUpperInvariant()} accounted for",
                $"Stripe took {Money(taken, currency)} = {Money(here, currency)} booked{(aside > 0 ? $" + {Money(aside, currency)} parked" : "")}");
        }

        var twice = ledger.Json.GetProperty("by_metadata").EnumerateObject().Count(g => g.Value.GetProperty("count").GetInt32() > 1);
        checks.Show(twice == 0, "charged twice", $"{twice} customers, of {Number(ledger.Count)} charges in Stripe's ledger");

        await CounterAsync();
        var gaps = await stage.Database.ScalarAsync<long>(
            """
            SELECT count(*) FROM (
                SELECT right(number, 6)::bigint AS n, row_number() OVER (PARTITION BY left(number, 4) ORDER BY number) AS expected FROM receipts) AS r
            WHERE n <> expected
            """);
        var receipts = await stage.Database.ScalarAsync<long>("SELECT count(*) FROM receipts");
        var without = await stage.Database.ScalarAsync<long>(
            "SELECT count(*) FROM payments AS p WHERE status = 'succeeded' AND NOT EXISTS (SELECT FROM receipts AS r WHERE r.payment_id = p.id)");
        checks.Show(gaps == 0 && without == 0, "receipts", $"{Number(receipts)}, one for each payment, numbered without a gap");

        var drifted = await stage.Database.ScalarAsync<long>(
            """
            SELECT count(*) FROM products AS p
            WHERE stock_reserved <> (SELECT coalesce(sum(quantity), 0) FROM stock_reservations AS r WHERE r.product_id = p.id AND r.released_at IS NULL)
            """);
        checks.Show(drifted == 0, "stock", $"{drifted} products whose counter is not the sum of its reservations");

        var told = await stage.Database.NumbersAsync("SELECT status, count(*) FROM notifications GROUP BY 1");
        var (sent, unknown) = (told.GetValueOrDefault("sent"), told.GetValueOrDefault("unknown"));
        checks.Show(
            stage.Mails.Twice == 0 && stage.Mails.Count >= sent && stage.Mails.Count <= sent + unknown, "mails",
            $"{Number(stage.Mails.Count)} at the mail server, none twice: {Number(sent)} known as sent, {unknown} unknown since the kill, {told.GetValueOrDefault("pending")} for later");

        var refused = (await stage.Stripe.RequestsAsync()).Recent.Count(r => r.Status == 429);
        checks.Show(refused == 0, "rate limit", $"{refused} of the requests were refused for being too many");
    }

    private async Task CounterAsync()
    {
        var ledger = await stage.SumUp.LedgerAsync();
        var booked = await stage.Database.NumbersAsync(
            "SELECT provider_payment_id, amount_minor FROM payments WHERE provider = 'sumup' AND status IN ('succeeded', 'refunded', 'disputed')");
        var same = ledger.Payments.Select(p => (p.TransactionId, p.Value)).ToHashSet().SetEquals(booked.Select(b => (b.Key, b.Value)));
        checks.Show(
            same && ledger.ByForeignId.Values.All(times => times == 1), "every card at the counter",
            $"SumUp took {Money(ledger.Total, "eur")} from {ledger.Count} cards, each once = {Money(booked.Values.Sum(), "eur")} booked");

        var held = await stage.Database.ScalarAsync<long>(
            """
            SELECT (SELECT count(*) FROM payment_queue WHERE status IN ('waiting', 'processing', 'unknown'))
                 + (SELECT count(*) FROM terminal_attempts WHERE settled_at IS NULL)
                 + (SELECT count(*) FROM payment_terminals WHERE status <> 'available')
                 + (SELECT count(*) FROM leases WHERE name LIKE 'payment:%')
            """);
        checks.Show(held == 0, "the counter is free", $"{held} readers, customers and places in the queue are held");
    }

    public static string Money(long minor, string currency) => currency switch
    {
        "jpy" => string.Create(CultureInfo.InvariantCulture, $"{minor:N0} JPY"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{minor / 100m:N2} {currency.ToUpperInvariant()}"),
    };
}
