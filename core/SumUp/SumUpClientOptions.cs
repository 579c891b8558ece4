namespace Jobs.SumUp;

/// <summary>How to talk to one SumUp merchant account. Checked when the client is made.</summary>
public sealed record SumUpClientOptions
{
    /// <summary><c>sup_sk_...</c>; never logged and removed from every message.</summary>
    public required string ApiKey { get; init; }

    /// <summary>The account that an API key belongs to; it reaches no other.</summary>
    public required string MerchantCode { get; init; }

    /// <summary>With <see cref="AppId"/>, what lets a payment carry our own id. Without both no payment is asked for: it could not be found again.</summary>
    public string? AffiliateKey { get; init; }

    public string? AppId { get; init; }

    /// <summary>Scheme, host and port. Plain http goes to loopback only.</summary>
    public Uri ApiBase { get; init; } = new("https://api.sumup.com");

    /// <summary>One send, from asking for a connection to the last byte of the answer.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(25);

    /// <summary>A dry run: every write throws <see cref="InvalidOperationException"/> before anything is sent.</summary>
    public bool ReadOnly { get; init; }

    /// <summary><c>app/version</c>; SumUp refuses requests without one.</summary>
    public string UserAgent { get; init; } = "jobs/" + (typeof(SumUpClientOptions).Assembly.GetName().Version?.ToString(3) ?? "0");

    /// <summary>Without the secrets.</summary>
    public override string ToString() => $"{MerchantCode} at {ApiBase.GetLeftPart(UriPartial.Authority)}";

    internal void Validate()
    {
        foreach (var (name, value) in new[] { ("API key", ApiKey), ("merchant code", MerchantCode), ("affiliate key", AffiliateKey), ("app id", AppId) })
        {
            if (value is not null && (value.Length == 0 || !value.All(c => c is > ' ' and < (char)0x7f)))
                throw new ArgumentException($"The SumUp {name} is empty or holds spaces, line breaks or characters that none has.");
        }

        if (!IsBase(ApiBase))
            throw new ArgumentException("The SumUp API base is https://host (http to loopback only): no path, no user, no query.");
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(RequestTimeout, TimeSpan.Zero);
    }

    internal static bool IsBase(Uri uri) =>
        uri is { IsAbsoluteUri: true, PathAndQuery: "/", Fragment: "", UserInfo: "" }
        && (uri.Scheme == Uri.UriSchemeHttps || (uri.Scheme == Uri.UriSchemeHttp && uri.IsLoopback));
}
