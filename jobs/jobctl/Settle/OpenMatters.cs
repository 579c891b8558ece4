using Jobs.Acting;
using Jobs.Billing;
using Jobs.Counter;
using Jobs.Database;
using Jobs.Runs;
using Spectre.Console;

namespace Jobs.Settle;

/// <summary>All that waits for a person to decide, oldest first, at most 200 of a kind.</summary>
internal static class OpenMatters
{
    public const int Most = 200;

    private sealed class Matter
    {
        public string Kind { get; init; } = "";
        public string Id { get; init; } = "";
        public DateTime Since { get; init; }
        public string What { get; init; } = "";
        public long? AmountMinor { get; init; }
        public string? Currency { get; init; }
        public string Settle { get; init; } = "";
    }

    private const string Open =
        """
        (SELECT 'unmatched' AS kind, id::text AS id, created_at AS since, reason || ' ' || coalesce(provider_payment_id, '') AS what,
                (data ->> 'amount_minor')::bigint AS amount_minor, data ->> 'currency' AS currency,
                'unmatched ' || id || ' --as refunded|ignored|recorded' AS settle
         FROM unmatched_payments WHERE resolved_at IS NULL ORDER BY id LIMIT @Most)
        UNION ALL
        (SELECT 'terminal', p.id::text, coalesce(q.started_at, q.updated_at), 'result unknown at ' || coalesce(t.name, 'a reader') || ' (' || q.reason || ')',
                p.amount_minor, p.currency, 'terminal ' || p.id || ' --as paid|not-paid'
         FROM payment_queue AS q JOIN payments AS p ON p.id = q.payment_id LEFT JOIN payment_terminals AS t ON t.id = q.terminal_id
         WHERE q.status = 'unknown' ORDER BY q.position LIMIT @Most)
        UNION ALL
        (SELECT 'order', o.id::text, o.updated_at, 'paid, and cannot be had any more: the money is to go back', o.total_minor, o.currency,
                'order ' || o.id || ' --as refunded'
         FROM orders AS o WHERE o.status = 'refund_due' ORDER BY o.id LIMIT @Most)
        UNION ALL
        (SELECT 'mail', id::text, coalesce(handed_over_at, claimed_at, created_at), kind || ' to ' || to_address || ': ' || status || coalesce(', ' || last_error, ''),
                NULL, NULL, 'mail ' || id || ' --as sent|resend|dropped'
         FROM notifications WHERE status IN ('failed', 'unknown') AND resolved_at IS NULL ORDER BY id LIMIT @Most)
        UNION ALL
        (SELECT 'item', job || ' ' || item, parked_at, failures || ' failures: ' || last_error, NULL, NULL, 'item ' || job || ' ' || item || ' --as retry|drop'
         FROM job_item_failures WHERE parked_at IS NOT NULL AND dropped_at IS NULL ORDER BY parked_at LIMIT @Most)
        """;

    public static async Task PrintAsync(ToolRun run)
    {
        var (open, now) = await run.Database(readOnly: true).TransactionAsync(
            async tx => (await tx.QueryAsync<Matter>(Open, new { Most }), await tx.SingleAsync<DateTime>("SELECT clock_timestamp()")), run.Stopping);
        if (run.Output == OutputFormat.Json)
        {
            await Answer.WriteAsync(run, json =>
            {
                JsonText.Write(json, "command", "resolve");
                json.WriteStartArray("open");
                foreach (var matter in open)
                {
                    json.WriteStartObject();
                    JsonText.Write(json, "kind", matter.Kind);
                    JsonText.Write(json, "id", matter.Id);
                    JsonText.Write(json, "since", matter.Since);
                    JsonText.Write(json, "what", matter.What);
                    JsonText.Write(json, "amount_minor", matter.AmountMinor);
                    JsonText.Write(json, "currency", matter.Currency);
                    JsonText.Write(json, "settle", $"jobctl resolve {matter.Settle} --reason TEXT");
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            });
            return;
        }

        if (open.Count == 0)
        {
            await run.Context.Output.WriteLineAsync("Nothing waits for anybody to decide.");
            return;
        }

        var table = new Table { Border = TableBorder.Rounded };
        foreach (var column in new[] { "Since", "What", "Amount", "jobctl resolve ... --reason TEXT" })
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Dim))));
        }

        var zone = BusinessZone.From(run.Settings);
        foreach (var matter in open)
        {
            table.AddRow(
                new Text(Words.At(matter.Since, now, zone)), new Text(Words.Clean(matter.What)),
                new Text(matter.AmountMinor is { } amount ? Words.Money(amount, matter.Currency ?? "") : ""), new Text(Words.Clean(matter.Settle)));
        }

        Paper.Open(run).Write(table);
        foreach (var kind in open.GroupBy(matter => matter.Kind).Where(kind => kind.Count() == Most))
        {
            await run.Context.Output.WriteLineAsync($"Of {kind.Key} the oldest {Most} are shown.");
        }
    }
}
