namespace Jobs.Testing.FakeStripe;

internal static class StripeVersions
{
    public const string Newest = "2026-10-28.endive";

    /// <summary>From this one on, PaymentIntents no longer take <c>payment_method_types</c>.</summary>
    public const string Endive = "2026-09-30";

    /// <summary>From this one on, a subscription's period is on its items and an invoice's payments in a list.</summary>
    public const string Basil = "2025-03-31";

    private static readonly HashSet<string> Known = new(StringComparer.Ordinal)
    {
        Newest, "2026-09-30.endive", "2026-08-26.dahlia", "2026-07-29.dahlia", "2026-03-25.dahlia",
        "2025-09-30.clover", "2025-03-31.basil", "2024-09-30.acacia", "2024-06-20", "2023-10-16",
    };

    public static bool IsKnown(string version) => Known.Contains(version);

    /// <summary>Version names start with their date, so they compare as text.</summary>
    public static bool IsBefore(string version, string date) => string.CompareOrdinal(version, date) < 0;
}
