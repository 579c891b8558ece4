using System.Globalization;
using Jobs.Billing;

namespace Jobs.Mail;

/// <summary>Amounts as people read them: `1 234,50 EUR`, in English `1,234.50 EUR`, `1 234 JPY`.</summary>
public static class MoneyText
{
    // The older no-break space: every font and mail program knows it, unlike the narrow one.
    private const string NoBreakSpace = "\u00A0";

    private static readonly NumberFormatInfo Spaced = Form(NoBreakSpace, ",");
    private static readonly NumberFormatInfo English = Form(",", ".");

    /// <param name="amountMinor">In the currency's minor units, as at Stripe.</param>
    /// <param name="currency">ISO 4217, in either case.</param>
    /// <exception cref="ArgumentException">Not a currency that Stripe charges in.</exception>
    public static string Of(decimal amountMinor, string currency, Language language)
    {
        var decimals = Currency.Exponent(currency);
        var amount = amountMinor / decimals switch { 0 => 1m, 2 => 100m, _ => 1000m };
        if (HasNoCoins(currency) && decimal.IsInteger(amount))
        {
            decimals = 0;
        }

        var form = language == Language.English ? English : Spaced;
        return amount.ToString($"N{decimals}", form) + NoBreakSpace + currency.ToUpperInvariant();
    }

    /// <summary>Two decimals at Stripe, none in reality.</summary>
    private static bool HasNoCoins(string currency) => currency.ToUpperInvariant() is "ISK" or "UGX";

    private static NumberFormatInfo Form(string group, string point) => NumberFormatInfo.ReadOnly(new NumberFormatInfo
    {
        NumberGroupSeparator = group,
        NumberDecimalSeparator = point,
        NumberNegativePattern = 1,
    });
}
