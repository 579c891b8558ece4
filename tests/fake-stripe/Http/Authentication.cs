using System.Text;

namespace Jobs.Testing.FakeStripe;

internal static class Authentication
{
    /// <summary>The secret key stands for the account: idempotency keys are remembered per account.</summary>
    public static string Account(HttpRequest request, FakeConfig config)
    {
        var header = request.Headers.Authorization.ToString();
        var key = header switch
        {
            _ when header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase) => header[7..].Trim(),
            _ when header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase) => BasicUser(header[6..]),
            _ => "",
        };
        if (key.Length == 0)
            throw new StripeError(401, "invalid_request_error", code: null, "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.");
        if (key.StartsWith(config.Live ? "sk_live_" : "sk_test_", StringComparison.Ordinal))
            return key;
        throw new StripeError(401, "invalid_request_error", code: null, $"Invalid API Key provided: {Masked(key)}");
    }

    public static string Version(HttpRequest request)
    {
        var version = request.Headers["Stripe-Version"].ToString();
        if (version.Length == 0)
            return StripeVersions.Newest;
        return StripeVersions.IsKnown(version) ? version : throw StripeError.Invalid($"Invalid Stripe API version: {version}. See https://stripe.com/docs/api/versioning for the list of available versions.");
    }

    private static string Masked(string key) =>
        key.Length <= 12 ? new string('*', key.Length) : string.Concat(key.AsSpan(0, 8), new string('*', key.Length - 12), key.AsSpan(key.Length - 4));

    private static string BasicUser(string encoded)
    {
        Span<byte> bytes = stackalloc byte[256];
        return Convert.TryFromBase64String(encoded.Trim(), bytes, out var length)
            ? Encoding.UTF8.GetString(bytes[..length]).Split(':')[0]
            : "";
    }
}
