using Jobs.Runs;
using MimeKit;

namespace Jobs.Mail;

/// <summary>How mail leaves: exactly one of <see cref="Smtp"/> and <see cref="PickupDirectory"/> is set.</summary>
/// <param name="UnsubscribeUrl">With {user_id}; null: by a mail to <see cref="From"/>.</param>
/// <param name="RedirectTo">Gets every mail instead of whom it is for. Never in production.</param>
public sealed record MailSettings(MailboxAddress From, SmtpUrl? Smtp, string? PickupDirectory, string? UnsubscribeUrl, MailboxAddress? RedirectTo)
{
    /// <exception cref="OperatorException">What is missing, contradictory or malformed.</exception>
    public static MailSettings Of(Settings settings)
    {
        var (smtp, pickup) = (settings.Optional("SMTP_URL"), settings.Optional("MAIL_PICKUP_DIR"));
        if (smtp is null == pickup is null)
        {
            throw new OperatorException(smtp is null
                ? "neither SMTP_URL nor MAIL_PICKUP_DIR is set; set SMTP_URL to a mail server such as smtp://user:password@host:587, or MAIL_PICKUP_DIR to a folder for .eml files"
                : "both SMTP_URL and MAIL_PICKUP_DIR are set; keep one of them");
        }

        var from = Address("MAIL_FROM", settings.Required("MAIL_FROM", "the sender of all mail, such as Club <office@example.org>"));
        var redirect = settings.Optional("MAIL_REDIRECT_TO") is { } to ? Address("MAIL_REDIRECT_TO", to) : null;
        if (redirect is not null && settings.Production)
        {
            throw new OperatorException("MAIL_REDIRECT_TO is set in production, where customers would get none of their mail; unset it");
        }

        if (pickup is not null && !Directory.Exists(pickup))
        {
            throw new OperatorException($"MAIL_PICKUP_DIR names '{pickup}', which is no folder; create it");
        }

        return new MailSettings(from, smtp is null ? null : SmtpUrl.Parse(smtp), pickup, Unsubscribe(settings), redirect);
    }

    private static string? Unsubscribe(Settings settings)
    {
        var url = settings.Optional("MAIL_UNSUBSCRIBE_URL");
        if (url is null)
        {
            return null;
        }

        var example = url.Replace("{user_id}", "1", StringComparison.Ordinal);
        return example != url && url.Length < 500 && url.All(c => char.IsAscii(c) && c > ' ' && c is not ('<' or '>'))
            && Uri.TryCreate(example, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http"
                ? url
                : throw new OperatorException($"MAIL_UNSUBSCRIBE_URL must be a web address with {{user_id}} in it, such as https://example.org/unsubscribe/{{user_id}}, not '{url}'");
    }

    private static MailboxAddress Address(string name, string text)
    {
        try
        {
            return MailAddresses.ParseWithName(text);
        }
        catch (FormatException e)
        {
            throw new OperatorException($"{name} must be an address such as office@example.org or Club <office@example.org>: {e.Message}", e);
        }
    }
}
