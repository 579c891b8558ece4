using Jobs.Mail;
using Xunit;

namespace Jobs.Tests.Mail;

/// <summary>Languages, amounts, dates and foreign text, as people are to read them.</summary>
public sealed class TemplateTextTests
{
    [Theory]
    [InlineData("fr", Language.French)]
    [InlineData("fr-FR", Language.French)]
    [InlineData("FR_ca.UTF-8", Language.French)]
    [InlineData("", Language.French)]
    [InlineData("  ", Language.French)]
    [InlineData("ru_RU", Language.Russian)]
    [InlineData("ru", Language.Russian)]
    [InlineData("en-US", Language.English)]
    [InlineData("de", Language.English)]
    [InlineData("frr", Language.English)]
    [InlineData("\u202Efr\r\n", Language.English)]
    public void A_locale_is_a_language_that_is_written_here(string locale, Language language) => Assert.Equal(language, Languages.Of(locale));

    [Theory]
    [InlineData(123450, "eur", "1 234,50 EUR", "1,234.50 EUR")]
    [InlineData(5, "EUR", "0,05 EUR", "0.05 EUR")]
    [InlineData(0, "usd", "0,00 USD", "0.00 USD")]
    [InlineData(-1050, "eur", "-10,50 EUR", "-10.50 EUR")]
    [InlineData(100000000, "eur", "1 000 000,00 EUR", "1,000,000.00 EUR")]
    [InlineData(1234, "jpy", "1 234 JPY", "1,234 JPY")]
    [InlineData(-1234, "krw", "-1 234 KRW", "-1,234 KRW")]
    [InlineData(1234560, "kwd", "1 234,560 KWD", "1,234.560 KWD")]
    [InlineData(500, "ugx", "5 UGX", "5 UGX")]
    [InlineData(123400, "isk", "1 234 ISK", "1,234 ISK")]
    // Impossible, and then not hidden.
    [InlineData(550, "isk", "5,50 ISK", "5.50 ISK")]
    [InlineData(long.MaxValue, "eur", "92 233 720 368 547 758,07 EUR", "92,233,720,368,547,758.07 EUR")]
    [InlineData(long.MinValue, "eur", "-92 233 720 368 547 758,08 EUR", "-92,233,720,368,547,758.08 EUR")]
    public void Amounts_are_written_as_each_language_does(long minor, string currency, string french, string english)
    {
        Assert.Equal(french.Replace(' ', '\u00A0'), MoneyText.Of(minor, currency, Language.French));
        Assert.Equal(french.Replace(' ', '\u00A0'), MoneyText.Of(minor, currency, Language.Russian));
        Assert.Equal(english.Replace(' ', '\u00A0'), MoneyText.Of(minor, currency, Language.English));
    }

    [Fact]
    public void An_unknown_currency_is_refused_and_not_guessed() => Assert.Throws<ArgumentException>(() => MoneyText.Of(100, "xxx", Language.French));

    [Theory]
    [InlineData("2026-11-20", "20 novembre 2026", "20 November 2026", "20 ноября 2026 г.")]
    [InlineData("2026-11-01", "1er novembre 2026", "1 November 2026", "1 ноября 2026 г.")]
    [InlineData("2028-02-29", "29 février 2028", "29 February 2028", "29 февраля 2028 г.")]
    [InlineData("2027-08-11", "11 août 2027", "11 August 2027", "11 августа 2027 г.")]
    public void Dates_are_written_as_each_language_does(string date, string french, string english, string russian)
    {
        var day = DateOnly.Parse(date, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal([french, english, russian], Enum.GetValues<Language>().Select(l => DateText.Of(day, l)));
    }

    [Theory]
    [InlineData("Ada\r\nBcc: eve@example.test", "Ada Bcc: eve@example.test")]
    [InlineData("  Ada\t\u0000\u0085\u2028 Lovelace  ", "Ada Lovelace")]
    [InlineData("Ada \u202Eevil\u202C \u2066x\u2069\u200F", "Ada evil x")]
    [InlineData("A\uFEFFd\u00ADa", "Ada")]
    [InlineData("\uFFFE\uFFFF", "")]
    [InlineData("שלום 👩‍🔧", "שלום 👩‍🔧")]
    [InlineData("12\u00A0EUR", "12\u00A0EUR")]
    [InlineData(null, "")]
    public void Foreign_text_is_one_line_that_turns_nothing_around_it(string? text, string line) => Assert.Equal(line, OneLine.Of(text));

    [Fact]
    public void Half_a_character_is_replaced() => Assert.Equal("\uFFFD lone \uFFFD", OneLine.Of("\uD83D lone \uDE00"));

    [Fact]
    public void Long_text_ends_in_an_ellipsis()
    {
        Assert.Equal(new string('a', 200), OneLine.Of(new string('a', 200)));
        Assert.Equal(new string('a', 200) + "…", OneLine.Of(new string('a', 201)));
        Assert.Equal("😀😀…", OneLine.Of("😀😀😀", 2));
        Assert.Equal("a b…", OneLine.Of("a b c d", 4));
    }
}
