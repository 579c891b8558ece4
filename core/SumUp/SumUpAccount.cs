using Jobs.Runs;
using Microsoft.Extensions.Logging;

namespace Jobs.SumUp;

/// <summary>The SumUp merchant account of this environment. Nothing in a key or code tells a sandbox account: that is for the operator to know.</summary>
public static class SumUpAccount
{
    public static SumUpClient Connect(Settings settings, RunOptions options, ILogger<SumUpClient> log) => new(
        new SumUpClientOptions
        {
            ApiKey = Required(settings, "SUMUP_API_KEY", "the API key of the SumUp merchant account, such as sup_sk_..."),
            MerchantCode = Required(settings, "SUMUP_MERCHANT_CODE", "the code of the SumUp merchant account, such as MH4H92C7"),
            AffiliateKey = Required(settings, "SUMUP_AFFILIATE_KEY", "the affiliate key of the SumUp account: with it a card payment is found again when an answer is lost"),
            AppId = Required(settings, "SUMUP_APP_ID", "the app id that the affiliate key was made for, such as org.example.desk"),
            ApiBase = Base(settings),
            ReadOnly = options.DryRun,
            UserAgent = $"jobs/{JobProgram.Version}",
        },
        log);

    private static string Required(Settings settings, string name, string purpose)
    {
        var value = settings.Required(name, purpose);
        return value.All(c => c is > ' ' and < (char)0x7f) ? value : throw new OperatorException($"{name} holds spaces, line breaks or characters that none has; copy it again");
    }

    private static Uri Base(Settings settings)
    {
        var text = settings.Optional("SUMUP_API_BASE") ?? "https://api.sumup.com";
        return Uri.TryCreate(text.TrimEnd('/'), UriKind.Absolute, out var uri) && SumUpClientOptions.IsBase(uri)
            ? uri
            : throw new OperatorException($"SUMUP_API_BASE must be a URL such as https://api.sumup.com (plain http to this machine only), not '{text}'");
    }
}
