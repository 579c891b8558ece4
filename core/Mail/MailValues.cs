using System.Globalization;
using System.Text.Json;
using Jobs.Billing;
using Jobs.Receipts;
using NodaTime.Text;

namespace Jobs.Mail;

/// <summary>What the database adds to a payload: whom and what it speaks of.</summary>
internal sealed class MailFacts
{
    public string? Name { get; init; }
    public string? Plan { get; init; }
    public string? PayerName { get; init; }
    public string? PayerEmail { get; init; }
    public long? AmountMinor { get; init; }
    public string? Currency { get; init; }
    public string? ProviderPaymentId { get; init; }
}

/// <summary>
/// The placeholders of a mail, each made when a template asks for it: what is missing in the payload has no value, what is of
/// the wrong type is a <see cref="MailTemplateException"/> that names it.
/// </summary>
internal sealed class MailValues(
    string kind, JsonElement payload, Language language, BusinessZone zone, Business business, string? accountUrl)
{
    public const string Common = "name business";

    /// <summary>By template, what may stand in it.</summary>
    public static readonly IReadOnlyDictionary<string, string[]> Known = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["payment_receipt"] = "receipt_number receipt_date receipt attachment amount",
        ["payment_failed"] = "plan amount next_attempt_on access_until account_url",
        ["payment_action_required"] = "plan amount access_until action_url",
        ["payment_method_required"] = "plan amount access_until account_url",
        ["membership_granted"] = "membership start_on end_on",
        ["renewal_reminder"] = "plan amount renews_on ends_on days_left account_url",
        ["membership_reminder"] = "membership amount ends_on days_left account_url",
        ["stats_alert"] = "stat_date anomalies",
        ["staff_refund_due"] = "order_id payment_id customer amount provider_payment_id",
        ["staff_reversal_review"] = "payment_id reason customer amount provider_payment_id",
        ["staff_unmatched_payments"] = "count payments",
        ["staff_undelivered_mails"] = "count mails",
        ["staff_fallback_on"] = "reason activated_by since until",
        ["staff_fallback_off"] = "reason since ended_at ended_by end_reason",
        ["staff_terminal_unknown"] = "payment_id queue_id terminal amount customer client_reference since",
        ["staff_job_failing"] = "job failures since error run_id runbook",
        ["staff_job_late"] = "job since error run_id runbook",
        ["staff"] = "kind details",
    }.ToDictionary(k => k.Key, k => $"{Common} {k.Value}".Split(' '), StringComparer.Ordinal);

    public MailFacts Facts { get; set; } = new();

    /// <summary>Of a payment_receipt.</summary>
    public ReceiptDocument? Receipt { get; set; }

    /// <summary>The attached file, when there is one.</summary>
    public string? Attachment { get; set; }

    public MailValue? Find(string placeholder) => placeholder switch
    {
        "name" => Text(OneLine.Of(Receipt?.PayerName ?? Facts.Name, 80)),
        "business" => Text(business.Name),
        "plan" => Text(String("plan_name")) ?? Text(Facts.Plan ?? String("plan_code")),
        "amount" => Receipt is not null ? Text(Receipt.Amount) : Amount(),
        "next_attempt_on" => Day("next_attempt_at"),
        "access_until" => Day("grace_ends_at"),
        "account_url" => Link(String("account_url") ?? accountUrl),
        "membership" => Text(String("type") is { } type ? Words.Membership(type, Flag("reduced_price") ?? false, language) : null),
        "start_on" => Day("start_date"),
        "end_on" => Day("end_date"),
        // Later than the end where a notice had to come first.
        "renews_on" => Flag("auto_renew") is null or true ? Day("charge_on") ?? Day("ends_on") : null,
        "ends_on" => Day("ends_on"),
        "days_left" => Text(Whole("days_left")?.ToString(CultureInfo.InvariantCulture)),
        "receipt_number" => Text(Receipt?.Number),
        "receipt_date" => Text(Receipt?.IssuedOn),
        "receipt" => Receipt is null ? null : new MailValue.Rows(Receipt.Rows()),
        "attachment" => Text(Attachment),
        "customer" => Text(Customer()),
        "provider_payment_id" => Text(Facts.ProviderPaymentId),
        "reason" => Text(String("reason") is { } reason ? Words.Reason(reason, language) : null),
        "since" or "until" or "ended_at" => Moment(placeholder),
        "activated_by" => Flag("automatic") is true ? null : Text(String("actor")),
        "end_reason" => Text(String("end_reason") is { } reason ? Words.Reason(reason, language) : null),
        "payments" => Rows("payments", Parked),
        "mails" => Rows("mails", Undelivered),
        "stat_date" => Day("stat_date"),
        "anomalies" => Rows("anomalies", Anomaly),
        "kind" => Text(kind),
        "details" => Details(),
        _ when placeholder.EndsWith("_url", StringComparison.Ordinal) => Link(String(placeholder)),
        _ => Text(Plain(Member(placeholder))),
    };

    public string? String(string name) => Member(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } text => Read(text),
        var other => throw Wrong(name, "a text", other.Value),
    };

    public long? Whole(string name) => Member(name) is not { } number ? null
        : number.ValueKind == JsonValueKind.Number && number.TryGetInt64(out var whole) ? whole
        : throw Wrong(name, "a whole number", number);

    private bool? Flag(string name) => Member(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        var other => throw Wrong(name, "true or false", other.Value),
    };

    private JsonElement? Member(string name) =>
        payload.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;

    private static MailValue.Text? Text(string? text) => OneLine.Of(text) is { Length: > 0 } line ? new MailValue.Text(line) : null;

    private MailValue.Link? Link(string? url) => url is null ? null
        : Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" && OneLine.Of(url, url.Length) == url && !url.Contains(' ', StringComparison.Ordinal)
            ? new MailValue.Link(url)
            : throw new MailTemplateException($"{kind}: '{OneLine.Of(url, 80)}' is not a link that starts with https:// or http://");

    private MailValue.Text? Amount() =>
        (Whole("amount_minor") ?? Facts.AmountMinor) is { } amount && (String("currency") ?? Facts.Currency) is { } currency ? Text(Money(amount, currency)) : null;

    private string Money(long amount, string currency) => Currency.IsKnown(currency)
        ? MoneyText.Of(amount, currency, language)
        : throw new MailTemplateException($"{kind}: '{OneLine.Of(currency, 20)}' is not a currency known here");

    /// <summary>A date as it stands, or the business's day of an instant.</summary>
    private MailValue.Text? Day(string name)
    {
        if (String(name) is not { } text)
        {
            return null;
        }

        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date))
        {
            return Text(DateText.Of(date, language));
        }

        return Instant(text) is { } instant
            ? Text(DateText.Of(zone.Date(instant), language))
            : throw Wrong(name, "a date such as 2026-11-20 or an instant such as 2026-11-20T06:00:00Z", Member(name)!.Value);
    }

    /// <summary>The business's day and time of an instant.</summary>
    private MailValue.Text? Moment(string name) => String(name) is not { } text ? null
        : Instant(text) is { } instant ? Text(DateText.Of(zone.Local(instant), language))
        : throw Wrong(name, "an instant such as 2026-11-20T06:00:00Z", Member(name)!.Value);

    private static DateTime? Instant(string text)
    {
        var instant = OffsetDateTimePattern.ExtendedIso.Parse(text);
        return instant.Success && instant.Value.Year is > 1 and < 9999 ? instant.Value.ToInstant().ToDateTimeUtc() : null;
    }

    private string? Customer() => (Facts.PayerName, Facts.PayerEmail) switch
    {
        (null or "", null or "") => null,
        (null or "", var email) => email,
        (var name, null or "") => name,
        var (name, email) => $"{OneLine.Of(name, 100)} ({email})",
    };

    private MailValue.Rows? Rows(string name, Func<JsonElement, MailRow> row) => Member(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Array } array => array.GetArrayLength() == 0 ? null : new MailValue.Rows([.. array.EnumerateArray().Select(row)]),
        var other => throw Wrong(name, "a list", other.Value),
    };

    private MailRow Parked(JsonElement payment)
    {
        var part = Part("payments", payment);
        var amount = part.Whole("amount_minor") is { } minor && part.String("currency") is { } currency && Currency.IsKnown(currency)
            ? $", {MoneyText.Of(minor, currency, language)}"
            : "";
        return Row(
            part.String("payment_intent") ?? $"#{part.Whole("id")}", $"{Words.Reason(part.String("reason") ?? "", language)}{amount}");
    }

    private MailRow Undelivered(JsonElement mail)
    {
        var part = Part("mails", mail);
        return Row(
            $"#{part.Whole("id")} {part.String("kind")}",
            string.Join(": ", new[] { part.String("status"), part.String("reason") }.Where(text => !string.IsNullOrEmpty(text))));
    }

    private MailRow Anomaly(JsonElement anomaly)
    {
        var part = Part("anomalies", anomaly);
        var figure = part.String("kind") ?? "";
        var currency = figure.StartsWith(Words.Revenue, StringComparison.Ordinal) && figure[Words.Revenue.Length..] is var code && Currency.IsKnown(code) ? code : null;
        string? Said(string name) => currency is not null && part.Whole(name) is { } minor ? MoneyText.Of(minor, currency, language) : part.Plain(part.Member(name));
        var expected = Said("expected") is { } usual ? language.Of($" (habituel\u00A0: {usual})", $" (usual: {usual})", $" (обычно: {usual})") : "";
        return Row(Words.Figure(figure, language), $"{Said("value") ?? "?"}{expected}");
    }

    /// <summary>The whole payload, for kinds without a template of their own.</summary>
    private MailValue.Rows? Details() =>
        payload.EnumerateObject().Select(m => Row(m.Name, Plain(m.Value) ?? "–")).Take(100).ToList() is { Count: > 0 } rows ? new MailValue.Rows(rows) : null;

    private static MailRow Row(string label, string value) => new(OneLine.Of(label, 80), OneLine.Of(value));

    private MailValues Part(string name, JsonElement element) => element.ValueKind == JsonValueKind.Object
        ? new MailValues($"{kind}, {name}", element, language, zone, business, accountUrl)
        : throw Wrong(name, "a list of objects", element);

    private string? Plain(JsonElement? element) => element switch
    {
        null or { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => null,
        { ValueKind: JsonValueKind.String } text => Read(text),
        var other => other.Value.GetRawText(),
    };

    private string Read(JsonElement text)
    {
        try
        {
            return text.GetString()!;
        }
        catch (InvalidOperationException e)
        {
            throw new MailTemplateException($"{kind}: a text in the payload is not Unicode ({e.Message})");
        }
    }

    private MailTemplateException Wrong(string name, string what, JsonElement value) =>
        new($"{kind}: '{name}' must be {what}, not {OneLine.Of(value.GetRawText(), 40)}");
}
