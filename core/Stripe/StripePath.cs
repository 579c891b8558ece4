namespace Jobs.Stripe;

internal static class StripePath
{
    // Every word of a path that this client writes; what is none of them is an id.
    private static readonly string[] Words =
    [
        "v1", "payment_intents", "cancel", "confirm", "capture", "checkout", "sessions", "expire", "customers", "payment_methods", "subscriptions",
        "events", "invoices", "invoice_payments", "refunds", "disputes", "charges", "account", "prices", "products",
    ];

    /// <summary>The path with {id} for what is an id: fit to be told to others, and few in number.</summary>
    public static string Template(string path) =>
        "/" + string.Join('/', path.TrimStart('/').Split('/').Select(word => Words.Contains(word, StringComparer.Ordinal) ? word : "{id}"));

    /// <summary>An empty id would turn a read of one object into a list of all, and dots would climb: both are refused.</summary>
    public static string Of(string collection, string id, string? action = null)
    {
        if (string.IsNullOrWhiteSpace(id) || id.Trim('.').Length == 0)
            throw new ArgumentException($"'{id}' is not the id of a Stripe object.", nameof(id));
        var path = $"{collection}/{Uri.EscapeDataString(id)}";
        return action is null ? path : $"{path}/{action}";
    }
}
