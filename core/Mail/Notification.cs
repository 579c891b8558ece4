namespace Jobs.Mail;

/// <summary>A row of `notifications`: a mail to be.</summary>
public sealed class Notification
{
    public long Id { get; init; }

    /// <summary>What happened; decides the template.</summary>
    public string Kind { get; init; } = "";

    /// <summary>Null: to staff.</summary>
    public long? UserId { get; init; }

    public string ToAddress { get; init; } = "";

    /// <summary>As the user's row says, such as <c>fr</c> or <c>ru-RU</c>.</summary>
    public string Locale { get; init; } = "";

    /// <summary>JSON: what the template's placeholders are filled from.</summary>
    public string Payload { get; init; } = "{}";

    public string? DedupeKey { get; init; }
    public int Attempts { get; init; }
    public DateTime CreatedAt { get; init; }
}
