using System.Globalization;
using Jobs.Billing;

namespace Jobs.SumUp;

/// <summary>
/// Three units for one amount: tables hold Stripe's minor units; a checkout is sent in SumUp's, with their number of decimals
/// beside it; transactions and refunds are decimals of the currency itself.
/// </summary>
internal static class SumUpMoney
{
    /// <summary>Decimals of a checkout's amount: these three have none at SumUp, and two at Stripe.</summary>
    public static int MinorUnit(string currency) =>
        currency.ToUpperInvariant() is "CLP" or "COP" or "HUF" ? 0 : Currency.Exponent(currency);

    /// <exception cref="ArgumentException">Not above 0, or not a whole number of the units that SumUp takes.</exception>
    public static long ToCheckout(long minor, string currency)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(minor, 1);
        var units = (long)Power(Currency.Exponent(currency) - MinorUnit(currency));
        return minor % units == 0
            ? minor / units
            : throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{Amount.Text(minor, currency)} has decimals that a card reader does not take"));
    }

    public static decimal ToDecimal(long minor, string currency)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(minor, 1);
        var exponent = Currency.Exponent(currency);
        return new decimal(minor) / Power(exponent);
    }

    /// <summary>What a sum of binary fractions leaves behind the last digit is taken off; more than that is not an amount.</summary>
    /// <exception cref="FormatException">Not a whole number of minor units.</exception>
    public static long ToMinor(decimal amount, string currency, int decimals = 0)
    {
        const decimal noise = 0.0001m;
        var scaled = amount * Power(Currency.Exponent(currency)) / Power(decimals);
        var whole = Math.Round(scaled);
        return Math.Abs(scaled - whole) <= noise && Math.Abs(whole) <= long.MaxValue / 2
            ? (long)whole
            : throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"{amount} is not an amount of {currency}"));
    }

    private static decimal Power(int exponent)
    {
        if (exponent is < 0 or > 9)
            throw new FormatException($"{exponent} is not a number of decimals");
        var power = 1m;
        for (; exponent > 0; exponent--)
            power *= 10;
        return power;
    }
}
