using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Jobs.SumUp;
using Microsoft.Extensions.Logging.Abstractions;

namespace Jobs.Tests.Rig;

/// <summary>
/// A merchant of the fake SumUp, with its own key, clock, devices, faults and ledger: tests with one each run side by side.
/// </summary>
public sealed class SumUpMerchant
{
    private readonly FakeSumUpProcess _process;

    private SumUpMerchant(FakeSumUpProcess process, JsonElement state)
    {
        _process = process;
        (Code, Key) = (state.GetProperty("code").GetString()!, state.GetProperty("key").GetString()!);
        Readers = [.. state.GetProperty("readers").EnumerateArray().Select(PairedReader.Of)];
    }

    public string Code { get; }
    public string Key { get; }
    public Uri Base => _process.Base;

    /// <summary>Those paired at the start, in the order of their serials.</summary>
    public IReadOnlyList<PairedReader> Readers { get; }

    /// <param name="serials">Of devices that are paired and online; without any, one SOLO-1.</param>
    public static Task<SumUpMerchant> CreateAsync(params string[] serials) => CreateInAsync("EUR", null, serials);

    /// <param name="config">What differs from SumUp's own timing and ways, such as <c>new { card_wait_ms = 300 }</c>.</param>
    public static async Task<SumUpMerchant> CreateInAsync(string currency, object? config = null, params string[] serials)
    {
        var process = await FakeSumUpProcess.SharedAsync();
        string[] devices = serials.Length > 0 ? serials : ["SOLO-1"];
        using var response = await process.Control.PostAsJsonAsync("merchants", new { currency, readers = devices.Select(serial => new { serial }) });
        var merchant = new SumUpMerchant(process, await ReadAsync(response));
        if (config is not null)
            await merchant.ConfigureAsync(config);
        return merchant;
    }

    /// <summary>Gives jobs the way here, the keys included.</summary>
    public void OpenTo(Dictionary<string, string?> environment)
    {
        environment["SUMUP_API_KEY"] = Key;
        environment["SUMUP_MERCHANT_CODE"] = Code;
        environment["SUMUP_AFFILIATE_KEY"] = "sup_afk_fake";
        environment["SUMUP_APP_ID"] = "org.example.desk";
        environment["SUMUP_API_BASE"] = Base.ToString();
    }

    public SumUpClient Client(TimeSpan? timeout = null) => new(
        new SumUpClientOptions
        {
            ApiKey = Key,
            MerchantCode = Code,
            AffiliateKey = "sup_afk_fake",
            AppId = "org.example.desk",
            ApiBase = Base,
            RequestTimeout = timeout ?? TimeSpan.FromSeconds(25),
        },
        NullLogger<SumUpClient>.Instance);

    /// <summary>Changes only what is named: start_window_ms, card_wait_ms, valid_ms, terminate_ms, busy, checkout_id, script...</summary>
    public Task ConfigureAsync(object changes) => PostAsync("config", changes);

    /// <summary>What is done with the next checkouts at this device, one each; then the merchant's own script goes on.</summary>
    public Task ScriptAsync(string serial, params object[] scripts) => PostAsync($"devices/{serial}/scripts", scripts);

    public Task SetOnlineAsync(string serial, bool online) => PostAsync($"devices/{serial}/{(online ? "online" : "offline")}", null);

    /// <summary>Another till's sale, on the same device.</summary>
    public Task StrangerAsync(string serial, long value, object? script = null) => PostAsync($"devices/{serial}/stranger", new { value, script });

    /// <summary>The same device under a new id; the old one is unknown from now on.</summary>
    public async Task<PairedReader> PairAgainAsync(string serial) => PairedReader.Of(await PostAsync("readers", new { serial }));

    /// <summary>What the device shows. Null: it never confirms.</summary>
    public async Task<string> PairingCodeAsync(string serial, int? confirmAfterMs = 0) =>
        (await PostAsync("pairing-codes", new { serial, confirm_after_ms = confirmAfterMs })).GetProperty("code").GetString()!;

    /// <summary>The clock then stands still.</summary>
    public Task SetClockAsync(DateTimeOffset now) => PostAsync("clock", new { now = now.ToString("O", CultureInfo.InvariantCulture) });

    public Task AdvanceAsync(TimeSpan by) => PostAsync("clock", new { advance_ms = (long)by.TotalMilliseconds });

    public Task RealClockAsync() => PostAsync("clock", new { real = true });

    /// <param name="path">A regular expression, such as <c>/checkout$</c>.</param>
    /// <param name="nth">The first that it strikes; then once, unless <paramref name="times"/> says more. Without both, always.</param>
    public Task FaultAsync(string kind, string path = "", string method = "", int? nth = null, int? times = null) =>
        PostAsync("faults", new { kind, path, method, nth, times });

    /// <summary>Also lets go of what hangs.</summary>
    public async Task ClearFaultsAsync()
    {
        using var response = await _process.Control.DeleteAsync($"merchants/{Code}/faults");
        await ReadAsync(response);
    }

    public Task ReleaseAsync() => PostAsync("release", null);

    /// <summary>Waits until a request is held.</summary>
    public async Task HeldAsync(int count = 1)
    {
        for (var end = DateTime.UtcNow.AddSeconds(90); (await GetAsync("held")).GetProperty("held").GetInt32() < count;)
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException($"{count} requests did not come to be held");
            await Task.Delay(10);
        }
    }

    public Task<JsonElement> StateAsync() => GetAsync("");

    public async Task<SumUpLedger> LedgerAsync() => SumUpLedger.Of(await GetAsync("ledger"));

    public async Task<IReadOnlyList<SumUpRequest>> RequestsAsync() =>
        [.. (await GetAsync("requests")).GetProperty("requests").EnumerateArray().Select(SumUpRequest.Of)];

    public async Task ClearRequestsAsync()
    {
        using var response = await _process.Control.DeleteAsync($"merchants/{Code}/requests");
        await ReadAsync(response);
    }

    private async Task<JsonElement> GetAsync(string what)
    {
        using var response = await _process.Control.GetAsync($"merchants/{Code}/{what}".TrimEnd('/'));
        return await ReadAsync(response);
    }

    private async Task<JsonElement> PostAsync(string what, object? body)
    {
        using var content = body is null ? null : JsonContent.Create(body);
        using var response = await _process.Control.PostAsync($"merchants/{Code}/{what}", content);
        return await ReadAsync(response);
    }

    private static async Task<JsonElement> ReadAsync(HttpResponseMessage response)
    {
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode ? JsonDocument.Parse(text).RootElement : throw new InvalidOperationException($"{response.RequestMessage?.RequestUri}: {text}");
    }
}

public sealed record PairedReader(string Id, string Serial)
{
    internal static PairedReader Of(JsonElement reader) => new(reader.GetProperty("id").GetString()!, reader.GetProperty("device").GetProperty("identifier").GetString()!);
}

/// <summary>What customers really paid. Amounts in the units of the checkout.</summary>
public sealed record SumUpLedger(int Count, long Total, long Refunded, IReadOnlyList<SumUpPayment> Payments)
{
    /// <summary>How often each of our ids was paid; 1 is what it should be.</summary>
    public IReadOnlyDictionary<string, int> ByForeignId => Payments.GroupBy(payment => payment.ForeignTransactionId ?? "", StringComparer.Ordinal)
        .ToDictionary(group => group.Key, group => group.Count(), StringComparer.Ordinal);

    internal static SumUpLedger Of(JsonElement ledger) => new(
        ledger.GetProperty("count").GetInt32(),
        ledger.GetProperty("total").GetInt64(),
        ledger.GetProperty("refunded").GetInt64(),
        [.. ledger.GetProperty("payments").EnumerateArray().Select(payment => new SumUpPayment(
            payment.GetProperty("transaction_id").GetString()!,
            payment.GetProperty("client_transaction_id").GetString()!,
            payment.GetProperty("foreign_transaction_id").GetString(),
            payment.GetProperty("value").GetInt64(),
            payment.GetProperty("tip").GetInt64(),
            payment.GetProperty("refunded").GetInt64(),
            payment.GetProperty("serial").GetString()!))]);
}

public sealed record SumUpPayment(string TransactionId, string ClientTransactionId, string? ForeignTransactionId, long Value, long Tip, long Refunded, string Serial);

/// <param name="Status">0: not answered.</param>
public sealed record SumUpRequest(string Method, string Path, string Query, string Body, int Status, string Answer, string? Fault)
{
    internal static SumUpRequest Of(JsonElement request) => new(
        request.GetProperty("method").GetString()!,
        request.GetProperty("path").GetString()!,
        request.GetProperty("query").GetString()!,
        request.GetProperty("body").GetString()!,
        request.GetProperty("status").GetInt32(),
        request.GetProperty("answer").GetString()!,
        request.GetProperty("fault").GetString());
}
