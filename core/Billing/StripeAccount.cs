using Jobs.Runs;
using Jobs.Stripe;
using Microsoft.Extensions.Logging;

namespace Jobs.Billing;

/// <summary>The Stripe account of this environment; a live key outside production, or a test key inside it, is refused.</summary>
public static class StripeAccount
{
    public static StripeClient Connect(Settings settings, RunOptions options, ILogger log)
    {
        var key = settings.Required("STRIPE_SECRET_KEY", "the Stripe secret key, such as sk_test_...");
        var live = IsLive(key);
        if (live && !settings.Production)
        {
            throw new OperatorException("STRIPE_SECRET_KEY is a live key but APP_ENV is not production; set APP_ENV=production or use a test key");
        }

        if (!live && settings.Production)
        {
            throw new OperatorException("STRIPE_SECRET_KEY is a test key but APP_ENV is production; use the live key");
        }

        return new StripeClient(
            new StripeClientOptions
            {
                SecretKey = key,
                ApiBase = Base(settings),
                MaxRequestsPerSecond = RequestsPerSecond(settings, live),
                ReadOnly = options.DryRun,
                UserAgent = $"jobs/{JobProgram.Version}",
            },
            logger: log);
    }

    /// <summary>20 with a live key and 10 with a test key unless STRIPE_MAX_REQUESTS_PER_SECOND says otherwise.</summary>
    public static int RequestsPerSecond(Settings settings) =>
        RequestsPerSecond(settings, settings.Optional("STRIPE_SECRET_KEY") is { } key && IsLive(key));

    private static int RequestsPerSecond(Settings settings, bool live) =>
        settings.OptionalPositive("STRIPE_MAX_REQUESTS_PER_SECOND") ?? (live ? 20 : 10);

    private static bool IsLive(string key)
    {
        if (key.StartsWith("sk_live_", StringComparison.Ordinal) || key.StartsWith("rk_live_", StringComparison.Ordinal))
        {
            return true;
        }

        return key.StartsWith("sk_test_", StringComparison.Ordinal) || key.StartsWith("rk_test_", StringComparison.Ordinal)
            ? false
            : throw new OperatorException("STRIPE_SECRET_KEY does not look like a secret key; one begins with sk_test_, sk_live_, rk_test_ or rk_live_");
    }

    private static Uri Base(Settings settings)
    {
        var text = settings.Optional("STRIPE_API_BASE") ?? "https://api.stripe.com";
        return Uri.TryCreate(text.TrimEnd('/'), UriKind.Absolute, out var uri)
            && uri is { Scheme: "https" or "http", PathAndQuery: "/", Fragment: "", UserInfo: "" }
            ? uri
            : throw new OperatorException($"STRIPE_API_BASE must be a URL such as https://api.stripe.com (without /v1), not '{text}'");
    }
}
