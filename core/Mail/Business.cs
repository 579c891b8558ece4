using Jobs.Runs;

namespace Jobs.Mail;

/// <summary>Who writes, and who issues receipts.</summary>
/// <param name="Name">Empty when nothing says it.</param>
/// <param name="Address">A line each.</param>
/// <param name="Registration">Such as <c>SIRET 123 456 789 00012</c>.</param>
public sealed record Business(string Name, IReadOnlyList<string> Address, string? Registration)
{
    /// <summary>BUSINESS_NAME, else the display name of MAIL_FROM; BUSINESS_ADDRESS, its lines separated by |; BUSINESS_REGISTRATION.</summary>
    public static Business From(Settings settings) => new(
        OneLine.Of(settings.Optional("BUSINESS_NAME") ?? DisplayName(settings.Optional("MAIL_FROM") ?? "")),
        [
            .. (settings.Optional("BUSINESS_ADDRESS") ?? "")
                .Split('|', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(line => OneLine.Of(line)),
        ],
        settings.Optional("BUSINESS_REGISTRATION") is { } registration ? OneLine.Of(registration) : null);

    /// <returns>Of <c>Name &lt;a@b&gt;</c> the name, of a bare address its domain.</returns>
    private static string DisplayName(string from)
    {
        var open = from.IndexOf('<', StringComparison.Ordinal);
        return open > 0 && from[..open].Trim(' ', '"') is { Length: > 0 } name ? name : from[(from.IndexOf('@', StringComparison.Ordinal) + 1)..].Trim('>', ' ');
    }
}
