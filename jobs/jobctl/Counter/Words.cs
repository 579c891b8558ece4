using System.Globalization;
using Jobs.Billing;
using Jobs.Mail;

namespace Jobs.Counter;

/// <summary>How the dashboard says things, on a screen and on a page alike.</summary>
internal static class Words
{
    /// <summary>Names are whatever somebody typed: nothing in them moves a cursor or turns the line around.</summary>
    public static string Clean(string? text) => text is null ? "" : string.Concat(text.Select(c =>
        char.IsControl(c) || c is '\u2028' or '\u2029' ? " "
        : c is (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069') or '\u200E' or '\u200F' ? ""
        : c.ToString()));

    public static string Money(long minor, string currency) =>
        Currency.IsKnown(currency) ? MoneyText.Of(minor, currency, Language.English) : Amount.Text(minor, currency);

    public static string Method(string method) => method.Replace('_', ' ');

    /// <summary>A status beginning with a sign of its own: colour is never all that tells.</summary>
    public static string Status(string status) => status switch
    {
        "available" or "succeeded" => "✓ ",
        "busy" or "processing" or "requires_action" => "▸ ",
        "waiting" or "pending" => "… ",
        "unknown" => "? ",
        "refunded" => "↩ ",
        "disputed" => "! ",
        _ => "✗ ",
    } + status.Replace('_', ' ');

    public static Tone ToneOf(string status) => status switch
    {
        "available" or "succeeded" => Tone.Good,
        "busy" or "processing" or "requires_action" => Tone.Active,
        "waiting" or "pending" or "refunded" => Tone.Quiet,
        "unknown" => Tone.Warning,
        _ => Tone.Bad,
    };

    /// <summary>Such as <c>45 s</c>, <c>12 min</c>, <c>3 h 05</c>, <c>2 days</c>.</summary>
    public static string For(DateTime since, DateTime now)
    {
        var span = now > since ? now - since : TimeSpan.Zero;
        return span switch
        {
            { TotalSeconds: < 100 } => Text($"{(int)span.TotalSeconds} s"),
            { TotalMinutes: < 100 } => Text($"{(int)span.TotalMinutes} min"),
            { TotalHours: < 48 } => Text($"{(int)span.TotalHours} h {span.Minutes:00}"),
            _ => Text($"{(int)span.TotalDays} days"),
        };

        static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The time, and the day as well when it is not today.</summary>
    public static string At(DateTime instant, DateTime now, BusinessZone zone)
    {
        var wall = zone.OnTheWall(instant);
        return wall.ToString(wall.Date == zone.OnTheWall(now).Date ? "HH:mm:ss" : "d MMM HH:mm", CultureInfo.InvariantCulture);
    }

    /// <summary>Likewise, and the year as well when it is another.</summary>
    public static string When(DateTime instant, DateTime now, BusinessZone zone)
    {
        var wall = zone.OnTheWall(instant);
        return wall.Year == zone.OnTheWall(now).Year ? At(instant, now, zone) : wall.ToString("d MMM yyyy HH:mm", CultureInfo.InvariantCulture);
    }

    public static string Moment(DateTime instant, BusinessZone zone) =>
        zone.OnTheWall(instant).ToString("dddd d MMMM yyyy, HH:mm:ss", CultureInfo.InvariantCulture);

    public static string Zone(DateTime instant, BusinessZone zone) =>
        string.Create(CultureInfo.InvariantCulture, $"{zone.Id}, UTC{zone.OnTheWall(instant):zzz}");

    /// <summary>The host and process of a holder of our making; any other as it is.</summary>
    public static string Holder(string holder) =>
        holder.Split(' ') is [var place, var process, _, _] ? $"{place.Split('/')[0]}, process {process}" : holder;

    public static int SecondsLeft(PayerLock held, DateTime now) => Math.Max(0, (int)Math.Ceiling((held.ExpiresAt - now).TotalSeconds));

    public static string OnTerminal(Terminal terminal) => terminal.PaymentId is null ? ""
        : $"{Clean(terminal.Payer)}, {Money(terminal.AmountMinor ?? 0, terminal.Currency ?? "")}{(terminal.PaymentStatus == "unknown" ? " (result unknown)" : "")}";

    public static string Paid(CounterPayment payment) => Money(payment.AmountMinor, payment.Currency)
        + (payment.AmountRefundedMinor > 0 ? $" (refunded {Money(payment.AmountRefundedMinor, payment.Currency)})" : "");

    public static string Until(Fallback fallback, DateTime now, BusinessZone zone) =>
        fallback.Until is { } until ? $"until {At(until, now, zone)}"
        : fallback.Automatic ? "until the provider answers again" : "until somebody ends it";

    public static string Until(Ledger.PauseRow pause, DateTime now, BusinessZone zone) =>
        pause.Until is { } until ? $"until {At(until, now, zone)}" : "until somebody ends it";

    public static string By(Fallback fallback, DateTime now, BusinessZone zone) => string.Join(
        ", ",
        new[]
        {
            fallback.Automatic ? "automatic" : "by hand",
            fallback.Actor.Length > 0 ? $"by {Clean(fallback.Actor)}" : "",
            fallback.Since is { } since ? $"since {At(since, now, zone)}" : "",
            Until(fallback, now, zone),
        }.Where(part => part.Length > 0));
}

internal enum Tone
{
    Good,
    Active,
    Quiet,
    Warning,
    Bad,
}
