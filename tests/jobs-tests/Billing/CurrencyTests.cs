using Jobs.Billing;
using Xunit;

namespace Jobs.Tests.Billing;

public sealed class CurrencyTests
{
    [Theory]
    [InlineData("eur", 2)]
    [InlineData("USD", 2)]
    [InlineData("isk", 2)]
    [InlineData("ugx", 2)]
    [InlineData("huf", 2)]
    [InlineData("jpy", 0)]
    [InlineData("krw", 0)]
    [InlineData("xof", 0)]
    [InlineData("kwd", 3)]
    [InlineData("bhd", 3)]
    [InlineData("tnd", 3)]
    public void Decimals_are_those_of_the_provider(string code, int decimals) => Assert.Equal(decimals, Currency.Exponent(code));

    [Theory]
    [InlineData("")]
    [InlineData("euro")]
    [InlineData("xxx")]
    [InlineData("€")]
    [InlineData(" eur")]
    public void A_currency_outside_the_table_is_refused_and_not_guessed(string code)
    {
        Assert.False(Currency.IsKnown(code));
        Assert.Throws<ArgumentException>(() => Currency.Exponent(code));
    }
}
