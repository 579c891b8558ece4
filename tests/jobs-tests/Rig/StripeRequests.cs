using System.Text.Json;

namespace Jobs.Tests.Rig;

/// <summary>One request that the fake holds until it is released or its client is gone.</summary>
public sealed record HeldRequest(int Id, string Phase, string Method, string Path, string? IdempotencyKey, string Params)
{
    internal static HeldRequest Of(JsonElement held) => new(
        held.GetProperty("id").GetInt32(),
        held.GetProperty("phase").GetString()!,
        held.GetProperty("method").GetString()!,
        held.GetProperty("path").GetString()!,
        held.GetProperty("idempotency_key").GetString(),
        held.GetProperty("params").GetString()!);
}

/// <summary>One request the fake got; status 0 was never answered.</summary>
public sealed record StripeRequest(long Number, string Method, string Path, string Template, string? IdempotencyKey, int Status, string? Fault, DateTimeOffset At, string Params);

/// <summary>The last 10,000 requests, and counts of all.</summary>
public sealed class StripeRequests(JsonElement requests)
{
    public long Total => requests.GetProperty("total").GetInt64();

    public IReadOnlyList<StripeRequest> Recent { get; } =
        [.. requests.GetProperty("requests").EnumerateArray().Select(request => new StripeRequest(
            request.GetProperty("n").GetInt64(),
            request.GetProperty("method").GetString()!,
            request.GetProperty("path").GetString()!,
            request.GetProperty("template").GetString()!,
            request.GetProperty("idempotency_key").GetString(),
            request.GetProperty("status").GetInt32(),
            request.GetProperty("fault").GetString(),
            request.GetProperty("at").GetDateTimeOffset(),
            request.GetProperty("params").GetString()!))];

    /// <summary>For example <c>Count("POST /v1/payment_intents/{id}/cancel")</c>.</summary>
    public long Count(string methodAndTemplate) =>
        requests.GetProperty("counts").TryGetProperty(methodAndTemplate, out var count) ? count.GetInt64() : 0;
}
