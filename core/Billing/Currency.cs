namespace Jobs.Billing;

/// <summary>
/// How many decimals an amount in minor units has when sent to Stripe. A currency outside the table is refused: a guess
/// would be wrong by a factor of 100.
/// </summary>
/// <remarks>
/// Source: docs.stripe.com/currencies. ISK and UGX have no decimals in reality but two at Stripe (5 UGX is sent as 500, always ending in 00).
/// The last digit of a three-decimal amount must be 0.
/// </remarks>
public static class Currency
{
    private static readonly HashSet<string> ZeroDecimal = Set(
        "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf");

    private static readonly HashSet<string> ThreeDecimal = Set("bhd jod kwd omr tnd");

    private static readonly HashSet<string> TwoDecimal = Set(
        """
        aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd btn bwp byn bzd cad cdf chf cny cop crc cve czk
        dkk dop dzd egp etb eur fjd fkp gbp gel ghs gip gmd gtq gyd hkd hnl hrk htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak
        lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd
        rub sar sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd xcg yer zar zmw
        """);

    /// <param name="code">ISO 4217, lower case as at Stripe; upper case is understood.</param>
    /// <returns>0, 2 or 3.</returns>
    /// <exception cref="ArgumentException">Not a currency that Stripe charges in.</exception>
    public static int Exponent(string code) =>
        TwoDecimal.Contains(code) ? 2
        : ZeroDecimal.Contains(code) ? 0
        : ThreeDecimal.Contains(code) ? 3
        : throw new ArgumentException($"'{code}' is not a currency known here (three letters such as eur), so its amounts cannot be read.", nameof(code));

    public static bool IsKnown(string code) => TwoDecimal.Contains(code) || ZeroDecimal.Contains(code) || ThreeDecimal.Contains(code);

    private static HashSet<string> Set(string codes) => new(
        codes.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), StringComparer.OrdinalIgnoreCase);
}
