using Jobs.Stripe;
using Xunit;

namespace Jobs.Tests.Stripe;

public sealed class FormTests
{
    [Fact]
    public void A_renewal_is_encoded_the_same_every_time()
    {
        var options = new PaymentIntentCreateOptions
        {
            Amount = 1250,
            Currency = "eur",
            Customer = "cus_1",
            PaymentMethod = "pm_1",
            Confirm = true,
            OffSession = true,
            Description = "Café & más = 5 %",
            Metadata = [new("user_id", "7"), new("period_start", "2026-11-20"), new("plan", "a+b")],
            ReceiptEmail = "a+b@example.org",
            StatementDescriptorSuffix = "NOV",
        };
        const string expected =
            "amount=1250&currency=eur&customer=cus_1&payment_method=pm_1&confirm=true&off_session=true&description=Caf%C3%A9+%26+m%C3%A1s+%3D+5+%25"
            + "&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never&receipt_email=a%2Bb%40example.org"
            + "&statement_descriptor_suffix=NOV&metadata[user_id]=7&metadata[period_start]=2026-11-20&metadata[plan]=a%2Bb";
        Assert.Equal(expected, options.ToForm().ToString());
        Assert.Equal(options.ToForm(), options.ToForm());
        Assert.Contains(new("description", "Café & más = 5 %"), options.ToForm().Pairs());
        Assert.DoesNotContain("payment_method_types", expected, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a=1&b[c]=2&b%5Bd%5D=%2f+x&e=&f")]
    public void A_stored_body_comes_back_byte_for_byte(string text)
    {
        Assert.Equal(text, FormBody.Parse(text).ToString());
    }

    [Theory]
    [InlineData("a=1 2")]
    [InlineData("a=é")]
    [InlineData("a=1\n")]
    [InlineData("a=%4")]
    [InlineData("a=%zz")]
    public void A_text_that_is_no_form_is_refused(string text)
    {
        Assert.Throws<FormatException>(() => FormBody.Parse(text));
    }

    [Fact]
    public void Pairs_survive_the_way_there_and_back()
    {
        KeyValuePair<string, string>[] pairs = [new("a[b]", "x & y"), new("a[c]", "=%+é€"), new("d", "")];
        Assert.Equal(pairs, FormBody.From(pairs).Pairs());
    }

    [Theory]
    [InlineData(0, "eur")]
    [InlineData(-5, "eur")]
    [InlineData(100_000_000, "eur")]
    [InlineData(1, "EUR")]
    [InlineData(1, "euro")]
    public void What_can_never_be_charged_is_refused_before_it_is_stored(long amount, string currency)
    {
        Assert.Throws<ArgumentException>(() => new PaymentIntentCreateOptions { Amount = amount, Currency = currency }.ToForm());
    }

    [Fact]
    public void Metadata_keeps_within_the_limits_of_Stripe()
    {
        static FormBody With(params KeyValuePair<string, string>[] metadata) => new PaymentIntentCreateOptions { Amount = 1, Currency = "eur", Metadata = metadata }.ToForm();
        With(new KeyValuePair<string, string>(new string('k', 40), new string('v', 500)));
        Assert.Throws<ArgumentException>(() => With(new KeyValuePair<string, string>(new string('k', 41), "v")));
        Assert.Throws<ArgumentException>(() => With(new KeyValuePair<string, string>("k", new string('v', 501))));
        Assert.Throws<ArgumentException>(() => With(new KeyValuePair<string, string>("k[x]", "v")));
        Assert.Throws<ArgumentException>(() => With([.. Enumerable.Range(0, 51).Select(i => KeyValuePair.Create($"k{i}", "v"))]));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("..")]
    public async Task An_id_that_would_reach_another_endpoint_is_refused(string id)
    {
        using var stripe = new StubStripe(StubStripe.Succeeded());
        using var client = stripe.Client();
        await Assert.ThrowsAsync<ArgumentException>(() => client.PaymentIntents.GetAsync(id));
        Assert.Empty(stripe.Requests);
    }

    [Fact]
    public async Task An_id_is_escaped_in_the_path()
    {
        using var stripe = new StubStripe(StubStripe.Succeeded());
        using var client = stripe.Client();
        await client.PaymentIntents.GetAsync("pi_1/../x?y#z");
        Assert.Equal("/v1/payment_intents/pi_1%2F..%2Fx%3Fy%23z", stripe.Requests[0].Path);
    }

    [Theory]
    [InlineData("", "https://api.stripe.com")]
    [InlineData("sk_test_1\n", "https://api.stripe.com")]
    [InlineData("sk_test_1", "https://api.stripe.com/v1")]
    [InlineData("sk_test_1", "ftp://api.stripe.com")]
    [InlineData("sk_live_1", "http://api.example.com")]
    public void Options_that_cannot_work_or_must_not_are_refused_without_showing_the_key(string key, string apiBase)
    {
        var e = Assert.Throws<ArgumentException>(() => new StripeClient(new StripeClientOptions { SecretKey = key, ApiBase = new Uri(apiBase) }));
        Assert.DoesNotContain("sk_", e.Message, StringComparison.Ordinal);
    }
}
