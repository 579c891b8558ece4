namespace Jobs.Stripe;

/// <summary>How to talk to one Stripe account. Checked when the client is made.</summary>
public sealed class StripeClientOptions
{
    /// <summary><c>sk_...</c> or <c>rk_...</c>; never logged and removed from every message.</summary>
    public required string SecretKey { get; init; }

    /// <summary>Scheme, host and port, without <c>/v1</c>. A live key is sent over https or to loopback only.</summary>
    public Uri ApiBase { get; init; } = new("https://api.stripe.com");

    /// <summary>Requests per second over all calls of this client, retries included. Stripe's live limit is higher than its test one; 20 and 10 leave room for the application.</summary>
    public int MaxRequestsPerSecond { get; init; } = 10;

    /// <summary>Physical sends per call, the first included; 1 means no retry.</summary>
    public int MaxAttempts { get; init; } = 6;

    /// <summary>Upper bound of one pause between two sends, Retry-After included.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>One send, from asking for a connection to the last byte of the answer.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(80);

    /// <summary><c>app/version</c>.</summary>
    public string UserAgent { get; init; } = "jobs/" + (typeof(StripeClientOptions).Assembly.GetName().Version?.ToString(3) ?? "0");

    /// <summary>A dry run: every write throws <see cref="InvalidOperationException"/> before anything is sent.</summary>
    public bool ReadOnly { get; init; }

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    internal void Validate()
    {
        if (string.IsNullOrEmpty(SecretKey) || !SecretKey.All(c => c is > ' ' and < (char)0x7f))
            throw new ArgumentException("The Stripe secret key is empty or holds spaces, line breaks or characters that no key has.");
        if (!ApiBase.IsAbsoluteUri || (ApiBase.Scheme != Uri.UriSchemeHttps && ApiBase.Scheme != Uri.UriSchemeHttp))
            throw new ArgumentException($"The Stripe API base '{ApiBase}' is not an http or https address.");
        if (ApiBase.AbsolutePath != "/" || ApiBase.Query.Length > 0 || ApiBase.Fragment.Length > 0 || ApiBase.UserInfo.Length > 0)
            throw new ArgumentException("The Stripe API base is scheme, host and port only: no path such as /v1, no user, no query.");
        if (SecretKey.Contains("_live_", StringComparison.Ordinal) && ApiBase.Scheme != Uri.UriSchemeHttps && !ApiBase.IsLoopback)
            throw new ArgumentException("A live Stripe key is never sent over plain http.");
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxRequestsPerSecond, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxAttempts, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxDelay, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(RequestTimeout, TimeSpan.Zero);
    }
}
