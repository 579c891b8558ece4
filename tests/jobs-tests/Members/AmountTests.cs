using Jobs.Billing;
using Xunit;

namespace Jobs.Tests.Members;

public sealed class AmountTests
{
    [Theory]
    [InlineData("12.50", "eur", 1250)]
    [InlineData("12.5", "eur", 1250)]
    [InlineData("12", "eur", 1200)]
    [InlineData("0.01", "eur", 1)]
    [InlineData("007.10", "eur", 710)]
    [InlineData("1200", "jpy", 1200)]
    [InlineData("1.234", "kwd", 1234)]
    [InlineData("999999999", "eur", 99999999900)]
    public void What_people_write_becomes_minor_units(string text, string currency, long minor) =>
        Assert.Equal(minor, Amount.Minor(Amount.Parse(text)!.Value, currency));

    [Theory]
    [InlineData("12.505", "eur", "12.505 eur has 3 decimals, and eur has 2")]
    [InlineData("12.500", "eur", "12.500 eur has 3 decimals, and eur has 2")]
    [InlineData("12.0", "jpy", "12.0 jpy has decimals, and jpy has none")]
    [InlineData("1.2345", "kwd", "1.2345 kwd has 4 decimals, and kwd has 3")]
    [InlineData("999999999.01", "eur", "999999999.01 eur is more than can be recorded")]
    [InlineData("79228162514264337593543950335", "eur", "79228162514264337593543950335 eur is more than can be recorded")]
    [InlineData("1", "EUR", "'EUR' is not a currency known here (three small letters such as eur)")]
    [InlineData("1", "xxx", "'xxx' is not a currency known here (three small letters such as eur)")]
    [InlineData("1", "", "'' is not a currency known here (three small letters such as eur)")]
    public void What_the_currency_does_not_have_is_refused(string text, string currency, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<RefusedException>(() => Amount.Minor(Amount.Parse(text)!.Value, currency)).Message);

    [Theory]
    [InlineData("12,50")]
    [InlineData("1e3")]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("0")]
    [InlineData("0.00")]
    [InlineData(".5")]
    [InlineData("5.")]
    [InlineData("1.2.3")]
    [InlineData("1 000")]
    [InlineData("1_000")]
    [InlineData("0x10")]
    [InlineData("١٢")]
    [InlineData("NaN")]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("99999999999999999999999999999999")]
    public void Everything_else_is_no_amount(string text) => Assert.Throws<FormatException>(() => Amount.Parse(text));

    [Theory]
    [InlineData(1250, "eur", "12.50 eur")]
    [InlineData(5, "eur", "0.05 eur")]
    [InlineData(1200, "jpy", "1200 jpy")]
    [InlineData(1234, "kwd", "1.234 kwd")]
    [InlineData(1234, "xxx", "1234 xxx")]
    [InlineData(long.MaxValue, "eur", "92233720368547758.07 eur")]
    public void Minor_units_are_written_as_people_read_them(long minor, string currency, string text) => Assert.Equal(text, Amount.Text(minor, currency));
}
