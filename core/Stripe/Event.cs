using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Jobs.Stripe;

/// <summary>
/// A change, kept by Stripe for 30 days. Its object is a snapshot in the API version of the account at that time,
/// whatever version the client asks for: read the few members below, or get the object again.
/// </summary>
public sealed class Event : IHasCreated
{
    public required string Id { get; init; }

    /// <summary><c>payment_intent.succeeded</c>, ...; an open list.</summary>
    public required string Type { get; init; }

    public required DateTimeOffset Created { get; init; }

    public string? ApiVersion { get; init; }

    [JsonConverter(typeof(TolerantFlagConverter))]
    public bool Livemode { get; init; }

    public required EventData Data { get; init; }

    /// <summary>Null for what Stripe did by itself.</summary>
    [JsonConverter(typeof(TolerantObjectConverter<EventRequest>))]
    public EventRequest? Request { get; init; }
}

public sealed class EventRequest
{
    public string? Id { get; init; }

    public string? IdempotencyKey { get; init; }
}

public sealed class EventData
{
    public required JsonElement Object { get; init; }

    [JsonIgnore]
    public string? ObjectId => Text("id");

    /// <summary><c>payment_intent</c>, <c>customer</c>, ...</summary>
    [JsonIgnore]
    public string? ObjectType => Text("object");

    [JsonIgnore]
    public string? Status => Text("status");

    [JsonIgnore]
    public IReadOnlyDictionary<string, string> Metadata => Member("metadata") is { ValueKind: JsonValueKind.Object } metadata
        ? metadata.EnumerateObject()
            .Where(m => m.Value.ValueKind == JsonValueKind.String)
            .GroupBy(m => m.Name, StringComparer.Ordinal)
            .ToDictionary(m => m.Key, m => m.Last().Value.GetString()!, StringComparer.Ordinal)
        : MetadataConverter.None;

    /// <summary>The id behind a member that may be an id or an expanded object, such as <c>customer</c>.</summary>
    public string? IdOf(string member) => Member(member) switch
    {
        { ValueKind: JsonValueKind.String } id => id.GetString(),
        { ValueKind: JsonValueKind.Object } value when value.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String => id.GetString(),
        _ => null,
    };

    /// <summary>False for another object, and for one whose amount, currency, status or creation time cannot be read.</summary>
    public bool TryGetPaymentIntent([NotNullWhen(true)] out PaymentIntent? paymentIntent)
    {
        paymentIntent = null;
        if (ObjectType != "payment_intent")
            return false;
        try
        {
            paymentIntent = Object.Deserialize(StripeJson.Default.PaymentIntent);
        }
        catch (JsonException)
        {
            return false;
        }

        return paymentIntent is not null;
    }

    private string? Text(string member) => Member(member) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;

    private JsonElement? Member(string name) =>
        Object.ValueKind == JsonValueKind.Object && Object.TryGetProperty(name, out var value) ? value : null;
}

public sealed class EventListOptions : ListOptions
{
    /// <summary>One type, or a group such as <c>payment_intent.*</c>. Not together with <see cref="Types"/>.</summary>
    public string? Type { get; init; }

    /// <summary>Up to 20 types.</summary>
    public IReadOnlyList<string>? Types { get; init; }

    private protected override void AddTo(FormWriter query) => query.Add("type", Type).AddList("types", Types);
}

public sealed class EventService
{
    private readonly StripeTransport transport;

    internal EventService(StripeTransport transport) => this.transport = transport;

    public Task<StripeResponse<Event>> GetAsync(string id, CancellationToken cancellationToken = default) =>
        transport.GetAsync(StripePath.Of("/v1/events", id), [], StripeJson.Default.Event, cancellationToken);

    public IAsyncEnumerable<Event> ListAsync(EventListOptions? options = null, CancellationToken cancellationToken = default) =>
        transport.ListAsync("/v1/events", options ?? new(), StripeJson.Default.Events, cancellationToken);
}
