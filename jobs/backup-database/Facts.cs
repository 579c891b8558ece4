using Jobs.Runs;
using Npgsql;

namespace Jobs;

/// <summary>What is counted in the dump's own snapshot and again in what is restored from it: the two must agree.</summary>
/// <param name="Tables">Rows of each table.</param>
/// <param name="Checks">How often each promise of the business is broken: a true copy has what the database has.</param>
internal sealed record Facts(SortedDictionary<string, long> Tables, SortedDictionary<string, long> Checks)
{
    // What pg_dump dumps: an extension's tables are the extension's business.
    private const string Names =
        """
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
          AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        ORDER BY 1
        """;

    private static readonly (string Promise, string Table, string Broken)[] Promises =
    [
        ("receipts are numbered without a gap", "receipt_counters",
            """
            SELECT count(*)
            FROM (SELECT split_part(number, '-', 1) AS year, count(*) AS receipts, max(split_part(number, '-', 2)::bigint) AS last
                  FROM receipts WHERE number ~ '^[0-9]{4}-[0-9]+$' GROUP BY 1) AS r
            FULL JOIN (SELECT year::text, last_number FROM receipt_counters WHERE series = 'R') AS c USING (year)
            WHERE r.receipts IS DISTINCT FROM r.last OR r.last IS DISTINCT FROM c.last_number
            """),
        ("a receipt belongs to a payment that was paid", "receipts",
            "SELECT count(*) FROM receipts AS r JOIN payments AS p ON p.id = r.payment_id WHERE p.status NOT IN ('succeeded', 'refunded', 'disputed')"),
        ("a renewal that was charged has its receipt", "payments",
            """
            SELECT count(*) FROM payments AS p
            WHERE p.provider_request IS NOT NULL AND p.status IN ('succeeded', 'refunded', 'disputed')
              AND NOT EXISTS (SELECT FROM receipts AS r WHERE r.payment_id = p.id)
            """),
        ("what was refunded is what the refunds say", "payment_refunds",
            """
            SELECT count(*) FROM payments AS p
            WHERE p.amount_refunded_minor <> (SELECT coalesce(sum(r.amount_minor), 0) FROM payment_refunds AS r WHERE r.payment_id = p.id)
            """),
        ("a stock counter is the sum of the open reservations", "stock_reservations",
            """
            SELECT count(*) FROM products AS p
            WHERE p.stock_reserved <> (SELECT coalesce(sum(r.quantity), 0) FROM stock_reservations AS r WHERE r.product_id = p.id AND r.released_at IS NULL)
            """),
        ("a subscription points to a payment of its own that was paid", "subscriptions",
            """
            SELECT count(*) FROM subscriptions AS s JOIN payments AS p ON p.id = s.payment_id
            WHERE p.subscription_id IS DISTINCT FROM s.id OR p.status NOT IN ('succeeded', 'refunded', 'disputed')
            """),
    ];

    public long Rows => Tables.Values.Sum();

    public IEnumerable<string> Broken => Checks.Where(c => c.Value > 0).Select(c => c.Key);

    /// <param name="connection">In a transaction that sees one snapshot, or where nobody else writes; statements take the time they need.</param>
    public static async Task<Facts> ReadAsync(NpgsqlConnection connection, JobRun run, CancellationToken cancellation)
    {
        var names = new List<string>();
        await using (var command = new NpgsqlCommand(Names, connection))
        await using (var reader = await command.ExecuteReaderAsync(cancellation))
        {
            while (await reader.ReadAsync(cancellation))
            {
                names.Add(reader.GetString(0));
            }
        }

        var facts = new Facts(new(StringComparer.Ordinal), new(StringComparer.Ordinal));
        foreach (var name in names)
        {
            facts.Tables[name] = await NumberAsync(connection, $"SELECT count(*) FROM ONLY {name}", cancellation);
            run.ShowProgress(facts.Tables.Count, names.Count);
        }

        foreach (var (promise, table, broken) in Promises)
        {
            if (await NumberAsync(connection, $"SELECT count(to_regclass('{table}'))", cancellation) == 1)
            {
                facts.Checks[promise] = await NumberAsync(connection, broken, cancellation);
            }
        }

        return facts;
    }

    private static async Task<long> NumberAsync(NpgsqlConnection connection, string sql, CancellationToken cancellation)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        return (long)(await command.ExecuteScalarAsync(cancellation))!;
    }

    /// <returns>The first difference in words, or null.</returns>
    public string? DifferenceFrom(Facts restored)
    {
        foreach (var (kind, ours, theirs) in new[] { ("rows in", Tables, restored.Tables), ("breaches of:", Checks, restored.Checks) })
        {
            foreach (var name in ours.Keys.Union(theirs.Keys))
            {
                var (dumped, found) = (Text(ours, name), Text(theirs, name));
                if (dumped != found)
                {
                    return $"{found} instead of {dumped} {kind} {name}";
                }
            }
        }

        return null;
    }

    private static string Text(SortedDictionary<string, long> counts, string name) =>
        counts.TryGetValue(name, out var count) ? count.ToString(System.Globalization.CultureInfo.InvariantCulture) : "no";
}
