using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>
/// How many provider calls are under way at once: enough for half a second an answer at the allowed rate, few enough for
/// the connection pool and for a stop within seconds.
/// </summary>
public static class Parallelism
{
    public static int Of(Settings settings) => Math.Clamp(StripeAccount.RequestsPerSecond(settings) / 2, 4, 40);

    /// <summary>Pages of a list: enough for a fifth of a second a page; each is a megabyte while it is read.</summary>
    public static int OfPages(Settings settings) => Math.Clamp(StripeAccount.RequestsPerSecond(settings) / 5, 3, 10);
}
