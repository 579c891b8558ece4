namespace Jobs.Testing.FakeStripe;

/// <summary>Which properties of which object may be expanded, and into what.</summary>
internal static class ExpandRules
{
    private static readonly Dictionary<string, Dictionary<string, string>> Rules = new(StringComparer.Ordinal)
    {
        ["payment_intent"] = Of("customer customer", "payment_method payment_method", "latest_charge charge"),
        ["charge"] = Of("customer customer", "payment_intent payment_intent", "refunds list:refund"),
        ["refund"] = Of("charge charge", "payment_intent payment_intent"),
        ["dispute"] = Of("charge charge", "payment_intent payment_intent"),
        ["customer"] = Of("invoice_settings.default_payment_method payment_method", "subscriptions list:subscription"),
        ["payment_method"] = Of("customer customer"),
        ["invoice"] = Of("customer customer", "payments list:invoice_payment", "default_payment_method payment_method", "parent.subscription_details.subscription subscription"),
        ["invoice_payment"] = Of("invoice invoice", "payment.payment_intent payment_intent"),
        ["subscription"] = Of("customer customer", "default_payment_method payment_method", "latest_invoice invoice", "items list:subscription_item"),
        ["subscription_item"] = Of("price price"),
        ["price"] = Of("product product"),
        ["product"] = Of("default_price price"),
        ["checkout.session"] = Of("customer customer", "payment_intent payment_intent", "subscription subscription", "invoice invoice"),
    };

    public static bool Allow(string type, ReadOnlySpan<string> path)
    {
        if (path.IsEmpty)
            return true;
        if (type.StartsWith("list:", StringComparison.Ordinal))
            return path[0] == "data" && Allow(type[5..], path[1..]);
        if (!Rules.TryGetValue(type, out var properties))
            return false;

        for (var length = 1; length <= path.Length; length++)
        {
            if (properties.TryGetValue(string.Join('.', path[..length].ToArray()), out var target))
                return Allow(target, path[length..]);
        }

        return false;
    }

    private static Dictionary<string, string> Of(params string[] rules) =>
        rules.Select(rule => rule.Split(' ')).ToDictionary(rule => rule[0], rule => rule[1], StringComparer.Ordinal);
}
