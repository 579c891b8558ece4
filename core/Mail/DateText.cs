using System.Globalization;
using NodaTime;

namespace Jobs.Mail;

/// <summary>Dates as people read them: `1er novembre 2026`, `1 November 2026`, `1 ноября 2026 г.`</summary>
public static class DateText
{
    private static readonly string[] French =
    [
        "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ];

    private static readonly string[] English =
    [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ];

    // In the genitive, as after a day.
    private static readonly string[] Russian =
    [
        "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря",
    ];

    public static string Of(DateOnly date, Language language)
    {
        var (day, year) = (date.Day.ToString(CultureInfo.InvariantCulture), date.Year.ToString(CultureInfo.InvariantCulture));
        return language switch
        {
            Language.French => $"{day}{(date.Day == 1 ? "er" : "")} {French[date.Month - 1]} {year}",
            Language.Russian => $"{day} {Russian[date.Month - 1]} {year} г.",
            _ => $"{day} {English[date.Month - 1]} {year}",
        };
    }

    /// <summary>With the time of day: `20 November 2026, 06:00`.</summary>
    internal static string Of(LocalDateTime moment, Language language) =>
        $"{Of(moment.Date.ToDateOnly(), language)}{(language == Language.French ? " à " : ", ")}{moment.TimeOfDay.ToString("HH:mm", CultureInfo.InvariantCulture)}";
}
