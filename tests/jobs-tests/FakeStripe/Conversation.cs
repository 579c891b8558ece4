using System.Text.Json;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.FakeStripe;

/// <summary>One answer of the API.</summary>
public sealed record Reply(int Status, JsonElement Json, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public string Id => Json.GetProperty("id").GetString()!;

    public string State => Json.GetProperty("status").GetString()!;

    public JsonElement Error => Json.GetProperty("error");

    public string? ErrorText(string name) => Error.TryGetProperty(name, out var value) ? value.GetString() : null;

    public List<string> Ids => [.. Json.GetProperty("data").EnumerateArray().Select(item => item.GetProperty("id").GetString()!)];

    public bool HasMore => Json.GetProperty("has_more").GetBoolean();
}

/// <summary>A fake shared by the tests of one class, empty again before each of them, spoken to in raw HTTP.</summary>
public sealed class Conversation : IAsyncLifetime
{
    public FakeStripeProcess Fake { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Fake = await FakeStripeProcess.StartAsync();
        Client = Fake.Client();
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Fake.DisposeAsync();
    }

    public Task<Reply> GetAsync(string path) => SendAsync(HttpMethod.Get, path);

    public Task<Reply> DeleteAsync(string path) => SendAsync(HttpMethod.Delete, path);

    public Task<Reply> PostAsync(string path, string form = "", string? key = null, HttpClient? client = null) =>
        SendAsync(HttpMethod.Post, path, form, key, client);

    public async Task<Reply> SendAsync(HttpMethod method, string path, string? form = null, string? key = null, HttpClient? client = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (form is not null)
            request.Content = new StringContent(form, System.Text.Encoding.UTF8, "application/x-www-form-urlencoded");
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        using var response = await (client ?? Client).SendAsync(request);
        var body = await response.Content.ReadAsStringAsync();
        var json = response.Content.Headers.ContentType?.MediaType == "application/json" ? JsonDocument.Parse(body).RootElement : default;
        return new Reply((int)response.StatusCode, json, body, response.Headers.ToDictionary(header => header.Key, header => string.Join(',', header.Value), StringComparer.OrdinalIgnoreCase));
    }

    /// <summary>A member whose payment method behaves as told.</summary>
    public Task SeedMemberAsync(string behaviour = "success", string customer = "cus_ada", string method = "pm_ada") => Fake.SeedAsync(new
    {
        customers = new[] { new { id = customer, payment_methods = new[] { new { id = method, behaviour } } } },
    });

    /// <summary>The form of an off-session renewal, confirmed at once.</summary>
    public static string Renewal(string customer = "cus_ada", string method = "pm_ada", long amount = 1500, string more = "") =>
        $"amount={amount}&currency=eur&customer={customer}&payment_method={method}&confirm=true&off_session=true" +
        "&automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never" +
        $"&metadata[subscription_id]=9&metadata[period_start]=2026-11-20&metadata[payment_id]=7{more}";
}

/// <summary>Every test starts from an empty account.</summary>
public abstract class FakeStripeTest(Conversation stripe) : IClassFixture<Conversation>, IAsyncLifetime
{
    protected Conversation Stripe => stripe;

    public async ValueTask InitializeAsync() => await stripe.Fake.ResetAsync();

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }
}
