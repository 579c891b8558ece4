using System.Globalization;

namespace Jobs.Billing;

/// <summary>Amounts as people write them, 12.50 eur. Everywhere else money is integer minor units.</summary>
public static class Amount
{
    /// <summary>An option's value: digits, and a point before decimals.</summary>
    /// <exception cref="FormatException">Says what was expected.</exception>
    public static decimal? Parse(string text) =>
        text.Length > 0 && char.IsAsciiDigit(text[0]) && char.IsAsciiDigit(text[^1])
        && decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var amount) && amount > 0
            ? amount
            : throw new FormatException("an amount above 0 such as 12.50");

    /// <exception cref="RefusedException">The currency is unknown or has fewer decimals, or nobody pays that much.</exception>
    public static long Minor(decimal amount, string currency)
    {
        if (!IsWritten(currency))
        {
            throw new RefusedException(RefusalReason.Invalid, $"'{currency}' is not a currency known here (three small letters such as eur)");
        }

        var exponent = Currency.Exponent(currency);
        if (amount.Scale > exponent)
        {
            throw new RefusedException(RefusalReason.Invalid, exponent == 0
                ? string.Create(CultureInfo.InvariantCulture, $"{amount} {currency} has decimals, and {currency} has none")
                : string.Create(CultureInfo.InvariantCulture, $"{amount} {currency} has {amount.Scale} decimals, and {currency} has {exponent}"));
        }

        return amount <= Most
            ? (long)(amount * Units(exponent))
            : throw new RefusedException(RefusalReason.Invalid, string.Create(CultureInfo.InvariantCulture, $"{amount} {currency} is more than can be recorded"));
    }

    /// <summary>In the form that tables use: lower case.</summary>
    internal static bool IsWritten(string currency) => Currency.IsKnown(currency) && currency.All(char.IsAsciiLetterLower);

    /// <summary>Such as <c>12.50 eur</c>; minor units where the decimals of the currency are not known.</summary>
    public static string Text(long minor, string currency)
    {
        var exponent = Currency.IsKnown(currency) ? Currency.Exponent(currency) : 0;
        return (minor / (decimal)Units(exponent)).ToString(exponent == 0 ? "0" : "0." + new string('0', exponent), CultureInfo.InvariantCulture) + " " + currency;
    }

    // Whoever types more has slipped.
    private const decimal Most = 999_999_999;

    private static int Units(int exponent) => exponent switch { 0 => 1, 2 => 100, _ => 1000 };
}
