namespace Jobs.Mail;

/// <summary>The languages that people are written to in.</summary>
public enum Language
{
    French,
    English,
    Russian,
}

public static class Languages
{
    /// <param name="locale">As a user's row says: <c>fr</c>, <c>fr-FR</c>, <c>ru_RU.UTF-8</c>.</param>
    /// <returns>French for none, as the column's default is; English for one that is not written here.</returns>
    public static Language Of(string locale)
    {
        var tag = locale.Trim();
        return tag.Split('-', '_', '.')[0].ToUpperInvariant() switch
        {
            "" or "FR" => Language.French,
            "RU" => Language.Russian,
            _ => Language.English,
        };
    }

    /// <returns>ISO 639-1, as templates are named.</returns>
    public static string Code(this Language language) => language switch
    {
        Language.French => "fr",
        Language.Russian => "ru",
        _ => "en",
    };

    /// <summary>The same in each language.</summary>
    internal static string Of(this Language language, string french, string english, string russian) => language switch
    {
        Language.French => french,
        Language.Russian => russian,
        _ => english,
    };
}
