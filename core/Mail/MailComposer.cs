using System.Text.Json;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Receipts;
using Jobs.Runs;
using Microsoft.Extensions.Logging;

namespace Jobs.Mail;

/// <summary>
/// Turns a notification into what the mail says, in the reader's language: by the template of its kind, or as its payload's
/// `subject` and `text` say. Any number of mails may be composed at once.
/// </summary>
/// <param name="db">Tells of the receipt, the person and the plan.</param>
/// <param name="settings">Who writes; the operator's own templates.</param>
/// <param name="zone">Decides the dates.</param>
/// <param name="log">Speaks of receipts that go out without their PDF.</param>
public sealed partial class MailComposer(Db db, Settings settings, BusinessZone zone, ILogger<MailComposer> log)
{
    private const int LongestSubject = 900;

    private readonly MailTemplates _templates = new(settings);
    private readonly Business _business = Business.From(settings);
    private readonly string? _accountUrl = settings.Optional("ACCOUNT_URL");
    private readonly string? _staffLocale = settings.Optional("STAFF_LOCALE");

    internal Func<ReceiptDocument, byte[]> Render { get; init; } = ReceiptPdf.Render;

    /// <exception cref="MailTemplateException">The kind has no template, or the payload lacks what it needs: sending it again would not help.</exception>
    public async Task<MailContent> ComposeAsync(Notification notification, CancellationToken cancellation)
    {
        using var document = Parse(notification);
        var payload = document.RootElement;
        var language = Languages.Of(notification.UserId is null && _staffLocale is not null ? _staffLocale : notification.Locale);
        if (payload.TryGetProperty("subject", out var subject) && payload.TryGetProperty("text", out var text))
        {
            return AsWritten(notification.Kind, subject, text, language);
        }

        var (template, written) = Template(notification, payload, language);
        var values = new MailValues(notification.Kind, payload, written, zone, _business, _accountUrl);
        IReadOnlyList<MailAttachment> attachments = [];
        if (notification.Kind == "payment_receipt")
        {
            values.Receipt = await ReceiptAsync(notification, values, written, cancellation);
            attachments = Pdf(values.Receipt, notification.Id);
            values.Attachment = attachments is [var pdf] ? pdf.FileName : null;
        }
        else
        {
            values.Facts = await FactsAsync(notification, values, cancellation);
        }

        var line = template.Subject(values.Find)
            ?? throw new MailTemplateException($"{notification.Kind}: the payload lacks what the subject names ({string.Join(", ", Lacking(template, values))})");
        var blocks = template.Body(values.Find);
        return new MailContent(line, MailLayout.Text(blocks, _business, written), MailLayout.Html(line, blocks, _business, written), attachments);
    }

    private static JsonDocument Parse(Notification notification)
    {
        JsonDocument? payload = null;
        try
        {
            payload = JsonDocument.Parse(notification.Payload);
        }
        catch (JsonException)
        {
            // Not an object either.
        }

        return payload is { RootElement.ValueKind: JsonValueKind.Object }
            ? payload
            : throw new MailTemplateException($"{OneLine.Of(notification.Kind, 80)}: the payload is not a JSON object");
    }

    /// <summary>A mail of an application's own, its text as it stands; paragraphs are set apart by empty lines.</summary>
    private MailContent AsWritten(string kind, JsonElement subject, JsonElement text, Language language)
    {
        try
        {
            var (line, body) = (OneLine.Of(subject.ToString(), LongestSubject), text.ToString());
            var paragraphs = body.ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
                .Select(p => new MailBlock.Paragraph(string.Join('\n', p.Split('\n').Select(l => OneLine.Of(l, int.MaxValue))))).ToList();
            return new MailContent(line, body, MailLayout.Html(line, paragraphs, _business, language), []);
        }
        catch (InvalidOperationException e)
        {
            throw new MailTemplateException($"{OneLine.Of(kind, 80)}: a text in the payload is not Unicode ({e.Message})");
        }
    }

    /// <summary>Staff are told of any kind of theirs; everybody else only of what has words of its own.</summary>
    private (MailTemplate Template, Language Language) Template(Notification notification, JsonElement payload, Language language)
    {
        var name = notification.Kind;
        if (name == "renewal_reminder" && payload.TryGetProperty("subject_type", out var subject) && subject.ValueKind == JsonValueKind.String
            && subject.ValueEquals("membership"))
        {
            name = "membership_reminder";
        }

        return _templates.Find(name, language)
            ?? (notification.UserId is null && name.StartsWith("staff_", StringComparison.Ordinal) ? _templates.Find("staff", language) : null)
            ?? throw new MailTemplateException($"there is no template for the kind '{OneLine.Of(name, 80)}'");
    }

    private async Task<ReceiptDocument> ReceiptAsync(Notification notification, MailValues values, Language language, CancellationToken cancellation)
    {
        var id = values.Whole("payment_id") ?? throw new MailTemplateException($"{notification.Kind}: the payload lacks payment_id");
        var receipt = await Receipt.FindAsync(db, id, cancellation);
        // Nobody is sent the receipt of somebody else.
        if (receipt is null || (notification.UserId is { } reader && reader != receipt.UserId))
        {
            throw new MailTemplateException($"{notification.Kind}: payment {id} has no receipt" + (receipt is null ? "" : $" of user {notification.UserId}"));
        }

        try
        {
            return new ReceiptDocument(receipt, language, _business, zone);
        }
        catch (ArgumentException e)
        {
            throw new MailTemplateException($"{notification.Kind}: receipt {receipt.Number} cannot be written out: {e.Message}");
        }
    }

    /// <summary>The mail says all that the PDF says, and goes out even if the PDF cannot be made.</summary>
    private IReadOnlyList<MailAttachment> Pdf(ReceiptDocument receipt, long notificationId)
    {
        try
        {
            return [new MailAttachment(receipt.FileName, "application/pdf", Render(receipt))];
        }
        catch (Exception e)
        {
            LogNoPdf(receipt.Number, notificationId, e);
            return [];
        }
    }

    private const string FindFacts =
        """
        SELECT u.name, coalesce(nullif(plan.name, ''), plan.code) AS plan, payer.name AS payer_name, payer.email AS payer_email,
               p.amount_minor, p.currency, p.provider_payment_id
        FROM (SELECT) AS one
        LEFT JOIN users AS u ON u.id = @UserId
        LEFT JOIN payments AS p ON p.id = @paymentId
        LEFT JOIN users AS payer ON payer.id = p.user_id
        LEFT JOIN subscriptions AS s ON s.id = coalesce(@subscriptionId, p.subscription_id)
        LEFT JOIN plans AS plan ON plan.id = s.plan_id
        """;

    private Task<MailFacts> FactsAsync(Notification notification, MailValues values, CancellationToken cancellation)
    {
        // An application's own kinds may mean something else by these names.
        var ours = MailValues.Known.ContainsKey(notification.Kind);
        var paymentId = ours ? values.Whole("payment_id") : null;
        var subscriptionId = ours ? values.Whole("subscription_id") : null;
        return notification.UserId is null && paymentId is null
            ? Task.FromResult(new MailFacts())
            : db.TransactionAsync(
                tx => tx.SingleAndCommitAsync<MailFacts>(FindFacts, new { notification.UserId, paymentId, subscriptionId }), cancellation);
    }

    private static IEnumerable<string> Lacking(MailTemplate template, MailValues values) => template.SubjectPlaceholders.Where(p => values.Find(p) is null);

    [LoggerMessage(LogLevel.Error, "Receipt {Receipt} goes out without its PDF (notification {NotificationId})")]
    private partial void LogNoPdf(string receipt, long notificationId, Exception reason);
}

/// <summary>A notification that cannot be turned into a mail, now or later.</summary>
public sealed class MailTemplateException(string message) : Exception(message);
