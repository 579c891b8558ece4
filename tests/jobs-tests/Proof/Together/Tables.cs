using System.Text.RegularExpressions;

namespace Jobs.Tests.Proof.Together;

/// <summary>The business tables that a run reads, and those that it writes or locks, by the SQL that it sent.</summary>
internal sealed partial record Tables(IReadOnlySet<string> Touched, IReadOnlySet<string> Written)
{
    /// <summary>Every run writes or reads these for itself, whatever the job.</summary>
    private static readonly HashSet<string> OfTheRuns =
        ["leases", "job_runs", "job_totals", "job_cursors", "job_pauses", "job_item_failures", "audit_logs", "schemaversions"];

    /// <param name="sql">What was sent.</param>
    /// <param name="known">The tables of the database: other names after a FROM are those of parts of the statement.</param>
    public static Tables Of(IEnumerable<string> sql, IReadOnlySet<string> known)
    {
        var (touched, written) = (new HashSet<string>(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal));
        foreach (var statement in sql)
        {
            var locks = Lock().IsMatch(statement);
            foreach (var match in Name().Matches(statement).Where(match => IsBusiness(match.Groups["table"].Value, known)))
            {
                touched.Add(match.Groups["table"].Value);
                if (locks || match.Groups["writes"].Success)
                    written.Add(match.Groups["table"].Value);
            }
        }

        return new(touched, written);
    }

    /// <summary>Which tables two jobs have in common, of those that at least one of them writes.</summary>
    public IReadOnlyList<string> Shared(Tables other) =>
        [.. Touched.Intersect(other.Touched).Where(table => Written.Contains(table) || other.Written.Contains(table)).Order(StringComparer.Ordinal)];

    private static bool IsBusiness(string table, IReadOnlySet<string> known) => known.Contains(table) && !OfTheRuns.Contains(table);

    [GeneratedRegex(
        @"\b((?<writes>INSERT\s+INTO|UPDATE|DELETE\s+FROM)|FROM|JOIN)\s+(ONLY\s+)?(?<table>[a-z_]+)", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Name();

    [GeneratedRegex(@"\bFOR\s+(NO\s+KEY\s+)?UPDATE\b", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Lock();
}
