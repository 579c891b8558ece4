using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>
/// How many provider calls are under way at once: enough for half a second an answer at the allowed rate, few enough for
/// the connection pool and for a stop within seconds.
/// </summary>
public static class Parallelism
{
    public static int Of(Settings settings) => Math.Clamp(StripeAccount.RequestsPerSecond(settings) / 2, 4, 40);
}
