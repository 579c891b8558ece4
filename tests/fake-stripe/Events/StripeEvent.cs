namespace Jobs.Testing.FakeStripe;

/// <summary>What happened to an object, with a copy of it as it was just then.</summary>
internal sealed class StripeEvent : StripeObject
{
    public required string Type { get; init; }
    public required StripeObject Data { get; init; }
    public required string ApiVersion { get; init; }
    public string? RequestId { get; init; }
    public string? IdempotencyKey { get; init; }

    public override void Write(JsonOut json)
    {
        json.Begin();
        json.Text("id", Id);
        json.Text("object", "event");
        json.Text("api_version", ApiVersion);
        json.Number("created", Created);
        json.Begin("data");
        json.BeforeBasil = StripeVersions.IsBefore(ApiVersion, StripeVersions.Basil);
        json.Object("object", Data);
        json.BeforeBasil = false;
        json.End();
        json.Flag("livemode", json.World.Config.Live);
        json.Number("pending_webhooks", 0L);
        json.Begin("request");
        json.Text("id", RequestId);
        json.Text("idempotency_key", IdempotencyKey);
        json.End();
        json.Text("type", Type);
        json.End();
    }
}

internal static class EventEndpoints
{
    private const long Retention = 30 * 86_400;

    public static IEnumerable<Endpoint> All()
    {
        yield return new("GET", "/v1/events", "list:event",
            Allow.List().Text("type").Texts("types").Flag("delivery_success"), List);
        yield return new("GET", "/v1/events/{id}", "event", Allow.Retrieve(), Get);
    }

    private static Page List(Call call)
    {
        var (world, parameters) = (call.World, call.Parameters);
        if (parameters.Has("type") && parameters.Has("types"))
            throw StripeError.Invalid("You may only specify one of these parameters: type, types.");
        var oldest = world.NowSeconds - Retention;
        var type = parameters.Text("type");
        var prefix = type is not null && type.EndsWith('*') ? type[..^1] : null;
        var types = parameters["types"]?.Children?.Values.Select(value => value.Value).ToHashSet(StringComparer.Ordinal);
        if (types?.Count == 1)
            type = types.First();

        var index = type is not null && prefix is null ? world.EventsByType[type] : world.Events;
        return Page.Of(call, index, "event", "/v1/events", happened =>
            happened.Created >= oldest
            && (prefix is null || happened.Type.StartsWith(prefix, StringComparison.Ordinal))
            && (types is null || types.Contains(happened.Type)));
    }

    private static StripeEvent Get(Call call) =>
        call.World.Find<StripeEvent>(call.Id) is { } happened && happened.Created >= call.World.NowSeconds - Retention
            ? happened
            : throw StripeError.Missing("event", call.Id, "id", 404);
}
