using System.Globalization;
using System.Text.RegularExpressions;

namespace Jobs.Testing.FakeStripe;

/// <summary>
/// Search as it is: an index that learns late and forgets again for a while. Good for finding, never for proving
/// that something is not there. It walks the candidates one by one: Stripe allows 20 searches a second.
/// </summary>
internal static partial class PaymentIntentSearch
{
    private static int s_searches;

    private sealed record Clause(string Field, string? Key, string Operator, string Value);

    public static IWritable Run(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        var limit = (int)(parameters.Int("limit") ?? 10);
        if (limit is < 1 or > 100)
            throw StripeError.Invalid("Limit must be between 1 and 100.", "limit", "parameter_invalid_integer");
        var clauses = Parse(parameters.Text("query")!);
        var index = clauses.FirstOrDefault(clause => clause is { Field: "customer", Operator: ":" }) is { } customer
            ? world.PaymentIntentsByCustomer[customer.Value]
            : world.PaymentIntents;
        var start = parameters.Text("page") is { } page ? Convert.ToInt32(page, 16) : 0;
        var odd = Interlocked.Increment(ref s_searches) % 2 == 1;

        List<IWritable> found = [];
        for (int position = index.Count - 1, matched = 0; position >= 0 && found.Count <= limit; position--)
        {
            var intent = index[position];
            if (Indexed(world, intent, odd) && clauses.TrueForAll(clause => Matches(intent, clause)) && matched++ >= start)
                found.Add(intent);
        }

        var more = found.Count > limit;
        if (more)
            found.RemoveAt(limit);
        return new Result(found, more ? (start + limit).ToString("x8", CultureInfo.InvariantCulture) : null);
    }

    private sealed record Result(List<IWritable> Items, string? NextPage) : IWritable
    {
        public void Write(JsonOut json)
        {
            json.Begin();
            json.Text("object", "search_result");
            json.BeginArray("data");
            foreach (var item in Items)
                item.Write(json);
            json.EndArray();
            json.Flag("has_more", NextPage is not null);
            json.Text("next_page", NextPage);
            json.Text("url", "/v1/payment_intents/search");
            json.End();
        }
    }

    private static bool Indexed(World world, PaymentIntent intent, bool odd)
    {
        var age = world.NowSeconds - intent.ChangedAt;
        var lag = world.Config.SearchLagSeconds;
        return age >= lag && (age >= 2 * lag || odd || !world.Config.SearchFlaps);
    }

    private static List<Clause> Parse(string query)
    {
        List<Clause> clauses = [];
        var position = 0;
        while (position < query.Length)
        {
            var match = ClausePattern().Match(query, position);
            if (!match.Success || match.Index != position)
                throw StripeError.Invalid($"We were unable to parse your search query: {query}");
            var field = match.Groups["field"].Value;
            if (field is not ("amount" or "created" or "currency" or "customer" or "metadata" or "status"))
                throw StripeError.Invalid($"Field `{field}` is an unsupported search field for resource `payment_intents`.");
            var key = match.Groups["key"].Success ? match.Groups["key"].Value : null;
            clauses.Add(new Clause(field, key, match.Groups["operator"].Value, match.Groups["text"].Success ? match.Groups["text"].Value : match.Groups["number"].Value));
            position = match.Index + match.Length;
        }

        return clauses;
    }

    private static bool Matches(PaymentIntent intent, Clause clause) => clause.Field switch
    {
        "amount" => Compare(intent.Amount, clause),
        "created" => Compare(intent.Created, clause),
        "currency" => Equal(intent.Currency, clause),
        "customer" => Equal(intent.Customer, clause),
        "status" => Equal(intent.Status, clause),
        _ => clause.Key is not null && Equal(intent.Metadata[clause.Key], clause),
    };

    private static bool Equal(string? value, Clause clause) => string.Equals(value, clause.Value, StringComparison.OrdinalIgnoreCase);

    private static bool Compare(long value, Clause clause)
    {
        var wanted = long.Parse(clause.Value, CultureInfo.InvariantCulture);
        return clause.Operator switch
        {
            ">" => value > wanted,
            ">=" => value >= wanted,
            "<" => value < wanted,
            "<=" => value <= wanted,
            _ => value == wanted,
        };
    }

    [GeneratedRegex("""(?<field>[a-z_]+)(\[["'](?<key>[^"']+)["']\])?(?<operator>:|>=|<=|>|<)(["'](?<text>[^"']*)["']|(?<number>\d+))(\s+(AND|and)\s+|\s*$)""", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex ClausePattern();
}
