using System.Text;
using Xunit;

namespace Jobs.Tests.FakeStripe;

public sealed class ParameterTests(Conversation stripe) : FakeStripeTest(stripe)
{
    [Theory]
    [InlineData("amount=1000&currency=eur&surprise[deep]=1", "parameter_unknown", "surprise[deep]", "Received unknown parameter: surprise[deep]")]
    [InlineData("currency=eur", "parameter_missing", "amount", "Missing required param: amount.")]
    [InlineData("amount=ten&currency=eur", "parameter_invalid_integer", "amount", "Invalid integer: ten")]
    [InlineData("amount=&currency=eur", "parameter_invalid_empty", "amount", null)]
    [InlineData("amount=1000&currency=eur&capture_method=later", null, "capture_method", null)]
    [InlineData("amount=1000&currency=xxq", null, "currency", null)]
    [InlineData("amount=10&currency=eur", "amount_too_small", "amount", null)]
    [InlineData("amount=100000000&currency=eur", "amount_too_large", "amount", null)]
    [InlineData("amount=1000&currency=eur&payment_method_types[]=card", "parameter_unknown", "payment_method_types[0]", null)]
    [InlineData("amount=1000&currency=eur&off_session=true", null, "off_session", null)]
    public async Task A_bad_parameter_is_refused_by_name(string form, string? code, string param, string? message)
    {
        var reply = await Stripe.PostAsync("v1/payment_intents", form);

        Assert.Equal(400, reply.Status);
        Assert.Equal("invalid_request_error", reply.ErrorText("type"));
        Assert.Equal(code, reply.ErrorText("code"));
        Assert.Equal(param, reply.ErrorText("param"));
        if (message is not null)
            Assert.Equal(message, reply.ErrorText("message"));
        Assert.Empty(await Stripe.Fake.DumpAsync());
    }

    [Fact]
    public async Task Metadata_and_lists_use_brackets_with_or_without_an_index()
    {
        var made = await Stripe.PostAsync("v1/payment_intents", "amount=1000&currency=eur&metadata[order_id]=4+2&metadata[note]=a%26b&expand[]=customer&expand[1]=latest_charge");

        Assert.Equal(200, made.Status);
        Assert.Equal("4 2", made.Json.GetProperty("metadata").GetProperty("order_id").GetString());
        Assert.Equal("a&b", made.Json.GetProperty("metadata").GetProperty("note").GetString());

        var changed = await Stripe.PostAsync($"v1/payment_intents/{made.Id}", "metadata[note]=&metadata[plan]=club");
        Assert.Equal("""{"order_id":"4 2","plan":"club"}""", changed.Json.GetProperty("metadata").GetRawText());
        var emptied = await Stripe.PostAsync($"v1/payment_intents/{made.Id}", "metadata=");
        Assert.Equal("{}", emptied.Json.GetProperty("metadata").GetRawText());
    }

    [Fact]
    public async Task A_json_body_is_refused()
    {
        using var body = new StringContent("""{"amount":1000}""", Encoding.UTF8, "application/json");
        using var response = await Stripe.Client.PostAsync("v1/payment_intents", body);

        Assert.Equal(400, (int)response.StatusCode);
        Assert.Contains("application/x-www-form-urlencoded", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("limit=0")]
    [InlineData("limit=101")]
    [InlineData("limit=x")]
    [InlineData("status=succeeded")]
    [InlineData("metadata[a]=b")]
    [InlineData("created[after]=1")]
    public async Task A_list_takes_only_its_own_filters(string query) =>
        Assert.Equal(400, (await Stripe.GetAsync($"v1/payment_intents?{query}")).Status);

    [Fact]
    public async Task An_unknown_id_in_the_url_is_404_and_in_a_parameter_400()
    {
        var read = await Stripe.GetAsync("v1/payment_intents/pi_nowhere");
        Assert.Equal((404, "resource_missing", "intent"), (read.Status, read.ErrorText("code"), read.ErrorText("param")));

        var charged = await Stripe.PostAsync("v1/payment_intents", Conversation.Renewal());
        Assert.Equal((400, "resource_missing", "customer"), (charged.Status, charged.ErrorText("code"), charged.ErrorText("param")));
    }
}
