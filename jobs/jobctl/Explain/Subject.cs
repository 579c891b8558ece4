using System.Globalization;
using Jobs.Database;
using Jobs.Mail;
using Jobs.Runs;

namespace Jobs.Explain;

/// <summary>What is to be explained. <c>unmatched</c> is money that belongs to no payment here.</summary>
/// <param name="Kind">payment, subscription, order, user, membership or unmatched: the singular of its table.</param>
/// <param name="Id">Its id there.</param>
internal sealed record Subject(string Kind, long Id)
{
    public static readonly string[] Kinds = ["payment", "subscription", "order", "user", "membership"];

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kind} {Id}");

    private static string Sql(string kind) => kind switch
    {
        // A receipt's number and a caller's reference are whatever they are; an id of the provider cannot be taken for either.
        "payment" => """
            SELECT id FROM payments WHERE provider_payment_id = @Name
            UNION SELECT payment_id FROM receipts WHERE number = @Name
            UNION SELECT id FROM payments WHERE reference = @Name
            UNION SELECT payment_id FROM terminal_attempts WHERE client_reference = @Name
            UNION SELECT payment_id FROM terminal_attempts WHERE provider_transaction_id = @Name
            """,
        "subscription" => "SELECT id FROM subscriptions WHERE provider_subscription_id = @Name",
        "order" => "SELECT id FROM orders WHERE payment_intent_id = @Name LIMIT 10",
        "user" => """
            SELECT id FROM users WHERE provider_customer_id = @Name
            UNION (SELECT id FROM users WHERE lower(email) = lower(@Name) LIMIT 10)
            """,
        _ => "SELECT id FROM memberships WHERE reference = @Name",
    };

    private static string Table(string kind) => kind switch
    {
        "payment" => "payments",
        "subscription" => "subscriptions",
        "order" => "orders",
        "user" => "users",
        _ => "memberships",
    };

    private static string Guess(string name) =>
        name.StartsWith("sub_", StringComparison.Ordinal) ? "subscription"
        : name.StartsWith("cus_", StringComparison.Ordinal) || name.Contains('@', StringComparison.Ordinal) ? "user"
        : "payment";

    /// <param name="first">A kind, or alone the name of something that tells its kind by itself.</param>
    /// <param name="second">Its id here, at the provider, a receipt's number, a reference or an address.</param>
    /// <exception cref="OperatorException">There is none, or several.</exception>
    public static async Task<Subject> FindAsync(Tx tx, string? first, string? second)
    {
        if (first is null || (second is null && (Kinds.Contains(first) || long.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out _))))
        {
            throw new OperatorException($"say what to explain: {string.Join('|', Kinds)} and its id, as in jobctl explain payment 4711; or pi_..., sub_..., cus_..., a receipt's number, an address");
        }

        if (second is not null && !Kinds.Contains(first))
        {
            var near = Suggestion.Nearest(first, Kinds);
            throw new OperatorException($"'{OneLine.Of(first, 40)}' is none of {string.Join(", ", Kinds)}{(near is null ? "" : $"; did you mean {near}?")}");
        }

        var (kind, name) = second is null ? (Guess(first), first) : (first, second);
        var ids = long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
            ? await tx.QueryAsync<long>($"SELECT id FROM {Table(kind)} WHERE id = @id", new { id })
            : await tx.QueryAsync<long>(Sql(kind), new { Name = name });
        if (ids.Count == 0 && kind == "payment")
        {
            ids = await tx.QueryAsync<long>("SELECT id FROM unmatched_payments WHERE provider_payment_id = @Name", new { Name = name });
            kind = ids.Count == 0 ? kind : "unmatched";
        }

        return ids switch
        {
            [var only] => new Subject(kind, only),
            [] => throw new OperatorException($"there is no {kind} {OneLine.Of(name, 60)}"),
            _ => throw new OperatorException($"there are several: {string.Join(", ", ids.Order().Select(i => new Subject(kind, i)))}; say which by its id"),
        };
    }
}
