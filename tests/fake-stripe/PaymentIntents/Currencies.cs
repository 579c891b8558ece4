namespace Jobs.Testing.FakeStripe;

internal static class Currencies
{
    private const string Known = " aed all amd ang aoa ars aud awg azn bam bbd bdt bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw ";

    private static readonly Dictionary<string, long> Minimum = new(StringComparer.Ordinal)
    {
        ["usd"] = 50,
        ["eur"] = 50,
        ["chf"] = 50,
        ["aud"] = 50,
        ["cad"] = 50,
        ["brl"] = 50,
        ["sgd"] = 50,
        ["nzd"] = 50,
        ["gbp"] = 30,
        ["jpy"] = 50,
        ["dkk"] = 250,
        ["nok"] = 300,
        ["sek"] = 300,
        ["pln"] = 200,
        ["czk"] = 1500,
        ["huf"] = 17500,
        ["ron"] = 200,
    };

    /// <summary>At most eight digits, at least about half a dollar, three-decimal currencies end in 0.</summary>
    public static void Check(string currency, long amount)
    {
        var lower = currency.ToLowerInvariant();
        if (lower.Length != 3 || !Known.Contains($" {lower} ", StringComparison.Ordinal))
            throw StripeError.Invalid($"Invalid currency: {currency}. Stripe currently supports these currencies: {Known.Trim().Replace(" ", ", ", StringComparison.Ordinal)}", "currency");
        if (amount < 1)
            throw StripeError.Invalid("This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer");
        if (amount > 99_999_999)
            throw StripeError.Invalid("Amount must be no more than $999,999.99", "amount", "amount_too_large");
        if (Minimum.TryGetValue(lower, out var minimum) && amount < minimum)
            throw StripeError.Invalid($"Amount must be at least {minimum} {lower}", "amount", "amount_too_small");
        if (lower is "bhd" or "jod" or "kwd" or "omr" or "tnd" && amount % 10 != 0)
            throw StripeError.Invalid($"Invalid amount: {amount}. The last digit must be 0 in {lower}.", "amount", "parameter_invalid_integer");
    }
}
