using System.Globalization;
using System.Text.Json;
using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Terminals;

/// <summary>
/// The degraded mode of the card terminals, as `settings` holds it under `payment_fallback_mode`: cash, checks and transfers go
/// on, cards wait.
/// </summary>
public sealed record FallbackState
{
    /// <summary>As written; one whose time is over may still say so. See <see cref="IsActive"/>.</summary>
    public bool Active { get; init; }

    /// <summary>Activated by failures of the provider, so that its recovery ends it.</summary>
    public bool Automatic { get; init; }

    /// <summary>Why it was activated.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Who activated it.</summary>
    public string Actor { get; init; } = "";

    public DateTime? Since { get; init; }

    /// <summary>It ends by itself then; null: somebody ends it, or the recovery does.</summary>
    public DateTime? Until { get; init; }

    /// <summary>Of the last time that it ended.</summary>
    public DateTime? EndedAt { get; init; }

    /// <inheritdoc cref="EndedAt"/>
    public string? EndedBy { get; init; }

    /// <inheritdoc cref="EndedAt"/>
    public string? EndReason { get; init; }

    public bool IsActive(DateTime now) => Active && (Until is null || now < Until);

    /// <summary>Says that it is active, and its time is over.</summary>
    public bool IsOver(DateTime now) => Active && !IsActive(now);

    internal string ToJson() => JsonText.Of(
        ("active", Active), ("automatic", Automatic), ("reason", Reason), ("actor", Actor), ("since", Since), ("until", Until),
        ("ended_at", EndedAt), ("ended_by", EndedBy), ("end_reason", EndReason));

    /// <summary>People may have written it by hand: what is missing has its default.</summary>
    /// <exception cref="OperatorException">It cannot be read, and in doubt nobody's card is charged.</exception>
    internal static FallbackState Parse(string? json)
    {
        if (json is null)
        {
            return new();
        }

        using var document = JsonDocument.Parse(json);
        var state = document.RootElement;
        return state.ValueKind != JsonValueKind.Object ? throw Unreadable("the whole", state) : new()
        {
            Active = Flag(state, "active"),
            Automatic = Flag(state, "automatic"),
            Reason = Text(state, "reason") ?? "",
            Actor = Text(state, "actor") ?? "",
            Since = Instant(state, "since"),
            Until = Instant(state, "until"),
            EndedAt = Instant(state, "ended_at"),
            EndedBy = Text(state, "ended_by"),
            EndReason = Text(state, "end_reason"),
        };
    }

    private static bool Flag(JsonElement state, string name) => Find(state, name) switch
    {
        null or { ValueKind: JsonValueKind.False } => false,
        { ValueKind: JsonValueKind.True } => true,
        var other => throw Unreadable(name, other.Value),
    };

    private static string? Text(JsonElement state, string name) => Find(state, name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        var other => throw Unreadable(name, other.Value),
    };

    private static DateTime? Instant(JsonElement state, string name) => Text(state, name) is not { } text ? null
        : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var instant) ? instant.UtcDateTime
        : throw Unreadable(name, Find(state, name)!.Value);

    private static JsonElement? Find(JsonElement state, string name) =>
        state.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    private static OperatorException Unreadable(string what, JsonElement value) => new(
        $"payment_fallback_mode in settings cannot be read: {what} is {value.GetRawText()}; correct it, or delete the row");
}
