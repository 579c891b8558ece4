using Jobs.SumUp;
using Jobs.Tests.Stripe;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Jobs.Tests.SumUp;

/// <summary>A client whose network is a script; time passes when it waits.</summary>
internal static class Stub
{
    public const string Key = "sup_sk_0123456789abcdef";
    public const string AffiliateKey = "sup_afk_fedcba9876543210";
    public const string Accepted = """{"data":{"client_transaction_id":"c-1","checkout_id":"k-1"}}""";

    public static readonly ReaderCheckoutOptions Checkout = new() { AmountMinor = 1250, Currency = "eur", ForeignTransactionId = "f-1", Description = "Membership" };

    public static SumUpClient Client(StubStripe network, bool readOnly = false, bool affiliate = true, ILogger<SumUpClient>? log = null) => new(
        new SumUpClientOptions
        {
            ApiKey = Key,
            MerchantCode = "MH4H92C7",
            AffiliateKey = affiliate ? AffiliateKey : null,
            AppId = affiliate ? "org.example.desk" : null,
            ReadOnly = readOnly,
            UserAgent = "jobs-tests/1.0",
            RequestTimeout = TimeSpan.FromSeconds(80),
        },
        log ?? NullLogger<SumUpClient>.Instance,
        network,
        network.Clock);

    public static string Transaction(string members = "") =>
        $$"""{"id":"t-1","transaction_code":"TEENSK4W2K","amount":12.5,"currency":"EUR","status":"SUCCESSFUL","foreign_transaction_id":"f-1"{{(members.Length > 0 ? "," + members : "")}}}""";
}
