using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Jobs.Tests.Rig;

/// <summary>
/// The fake Stripe as a process of its own on a free port, driven through its control API. It dies with the test
/// process. Without <c>--rate</c> it has no rate limit.
/// </summary>
public sealed class FakeStripeProcess : IAsyncDisposable
{
    private readonly FakeProcess _process;

    private FakeStripeProcess(FakeProcess process) => _process = process;

    /// <summary>What STRIPE_API_BASE is set to: <c>http://127.0.0.1:port/</c>.</summary>
    public Uri Base => _process.Base;

    public HttpClient Control => _process.Control;

    public int ProcessId => _process.Id;

    public static async Task<FakeStripeProcess> StartAsync(params string[] args) =>
        new(await FakeProcess.StartAsync("fake-stripe", args.Contains("--rate", StringComparer.Ordinal) ? args : [.. args, "--rate", "0"]));

    /// <summary>A client of the API itself, authenticated as a test account.</summary>
    public HttpClient Client(string secretKey = "sk_test_fake")
    {
        var client = new HttpClient { BaseAddress = Base, Timeout = TimeSpan.FromSeconds(30) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", secretKey);
        client.DefaultRequestHeaders.Add("Stripe-Version", "2026-10-28.endive");
        return client;
    }

    public Task ResetAsync() => SendAsync(HttpMethod.Post, "reset");

    /// <summary>Everything <c>POST /_fake/seed</c> takes; answers with the ids by kind.</summary>
    public Task<JsonElement> SeedAsync(object document) => SendAsync(HttpMethod.Post, "seed", document);

    public async Task<DateTimeOffset> NowAsync() => (await SendAsync(HttpMethod.Get, "clock")).GetProperty("now").GetDateTimeOffset();

    /// <summary>The clock then stands still.</summary>
    public Task SetClockAsync(DateTimeOffset now) =>
        SendAsync(HttpMethod.Post, "clock", new { now = now.ToString("O", CultureInfo.InvariantCulture) });

    public Task AdvanceAsync(TimeSpan by) =>
        SendAsync(HttpMethod.Post, "clock", new { advance = string.Create(CultureInfo.InvariantCulture, $"{by.TotalSeconds}s") });

    public Task RealClockAsync() => SendAsync(HttpMethod.Post, "clock", new { real = true });

    /// <summary>Changes only what is named: rate, latency_ms, lock_per_customer, search_lag_seconds...</summary>
    public Task<JsonElement> ConfigureAsync(object changes) => SendAsync(HttpMethod.Post, "config", changes);

    /// <summary>Adds one rule, for example <c>FaultAsync("delay_after:500", new { method = "POST", nth = 1 })</c>.</summary>
    public Task FaultAsync(string fault, object? match = null, bool? shouldRetry = null, string body = "json") =>
        SendAsync(HttpMethod.Post, "faults", new { match = match ?? new { }, fault, should_retry = shouldRetry, body });

    public Task ClearFaultsAsync() => SendAsync(HttpMethod.Delete, "faults");

    /// <summary>Waits until <paramref name="count"/> requests are held; fails when they do not come.</summary>
    public async Task<IReadOnlyList<HeldRequest>> HeldAsync(int count = 1, int waitMs = 10_000)
    {
        var answer = await SendAsync(HttpMethod.Get, string.Create(CultureInfo.InvariantCulture, $"holds?wait={waitMs}&count={count}"));
        var held = answer.GetProperty("holds").EnumerateArray().Select(HeldRequest.Of).ToList();
        return held.Count >= count ? held : throw new TimeoutException($"{held.Count} of {count} requests are held");
    }

    public Task ReleaseAsync(int? id = null) => SendAsync(HttpMethod.Post, "holds/release", new { id });

    /// <summary>The money that moved, also grouped by <paramref name="metadataKey"/> when one is given.</summary>
    public async Task<StripeLedger> LedgerAsync(string? metadataKey = null) =>
        new(await SendAsync(HttpMethod.Get, metadataKey is null ? "ledger" : $"ledger?group={metadataKey}"));

    public async Task<StripeRequests> RequestsAsync() => new(await SendAsync(HttpMethod.Get, "requests"));

    public Task ClearRequestsAsync() => SendAsync(HttpMethod.Delete, "requests");

    /// <summary>Every PaymentIntent, oldest first.</summary>
    public async Task<IReadOnlyList<JsonElement>> DumpAsync() =>
        [.. (await SendAsync(HttpMethod.Get, "dump")).GetProperty("payment_intents").EnumerateArray()];

    /// <summary>Something happens to a PaymentIntent without us: pay, fail, settle, cancel, dispute, refund.</summary>
    public Task<JsonElement> ActAsync(string paymentIntent, string action, object? body = null) =>
        SendAsync(HttpMethod.Post, $"payment_intents/{paymentIntent}/{action}", body);

    /// <summary>What the next charges of this payment method do, such as <c>insufficient_funds,success</c>.</summary>
    public Task BehaveAsync(string paymentMethod, string behaviour) =>
        SendAsync(HttpMethod.Post, $"payment_methods/{paymentMethod}", new { behaviour });

    /// <summary>The bank has decided: succeeded, failed, canceled.</summary>
    public Task MoveRefundAsync(string refund, string status) => SendAsync(HttpMethod.Post, $"refunds/{refund}", new { status });

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
            request.Content = JsonContent.Create(body);
        using var response = await Control.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode
            ? JsonDocument.Parse(text).RootElement
            : throw new InvalidOperationException($"{method} /_fake/{path}: {text}");
    }
}
