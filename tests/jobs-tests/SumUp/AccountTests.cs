using Jobs.Runs;
using Jobs.SumUp;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Jobs.Tests.SumUp;

public sealed class AccountTests
{
    private static readonly Dictionary<string, string> Complete = new(StringComparer.Ordinal)
    {
        ["SUMUP_API_KEY"] = "sup_sk_0123456789",
        ["SUMUP_MERCHANT_CODE"] = "MH4H92C7",
        ["SUMUP_AFFILIATE_KEY"] = "sup_afk_0123456789",
        ["SUMUP_APP_ID"] = "org.example.desk",
    };

    [Theory]
    [InlineData("SUMUP_API_KEY", "set it to the API key of the SumUp merchant account, such as sup_sk_...")]
    [InlineData("SUMUP_MERCHANT_CODE", "set it to the code of the SumUp merchant account, such as MH4H92C7")]
    [InlineData("SUMUP_AFFILIATE_KEY", "set it to the affiliate key of the SumUp account: with it a card payment is found again when an answer is lost")]
    [InlineData("SUMUP_APP_ID", "set it to the app id that the affiliate key was made for, such as org.example.desk")]
    public void All_four_are_needed_and_each_is_named(string name, string remedy) =>
        Assert.Equal($"{name} is not set; {remedy}", Assert.Throws<OperatorException>(() => Connect((name, ""))).Message);

    [Fact]
    public void A_key_with_a_line_break_is_refused_without_being_shown() =>
        Assert.Equal(
            "SUMUP_API_KEY holds spaces, line breaks or characters that none has; copy it again",
            Assert.Throws<OperatorException>(() => Connect(("SUMUP_API_KEY", "sup_sk_01234\n56789"))).Message);

    [Theory]
    [InlineData("https://api.sumup.com")]
    [InlineData("https://api.sumup.com/")]
    [InlineData("http://127.0.0.1:12112")]
    [InlineData("http://localhost:12112/")]
    public void A_base_is_https_or_this_machine(string url) => Connect(("SUMUP_API_BASE", url)).Dispose();

    [Theory]
    [InlineData("http://api.sumup.com")]
    [InlineData("https://api.sumup.com/v0.1")]
    [InlineData("api.sumup.com")]
    [InlineData("http://192.168.1.4:12112")]
    public void Any_other_base_is_refused(string url) =>
        Assert.Equal(
            $"SUMUP_API_BASE must be a URL such as https://api.sumup.com (plain http to this machine only), not '{url}'",
            Assert.Throws<OperatorException>(() => Connect(("SUMUP_API_BASE", url))).Message);

    [Fact]
    public async Task A_dry_run_writes_nothing()
    {
        using var client = Connect(new RunOptions { DryRun = true });
        await Assert.ThrowsAsync<InvalidOperationException>(() => client.TerminateReaderCheckoutAsync("rdr_1"));
    }

    private static SumUpClient Connect(params (string Name, string Value)[] changes) => Connect(new RunOptions(), changes);

    private static SumUpClient Connect(RunOptions options, params (string Name, string Value)[] changes)
    {
        var values = new Dictionary<string, string>(Complete, StringComparer.Ordinal);
        foreach (var (name, value) in changes)
            values[name] = value;
        return SumUpAccount.Connect(new Settings(values), options, NullLogger<SumUpClient>.Instance);
    }
}
