using Jobs.Billing;
using Jobs.Stripe;
using Xunit;

namespace Jobs.Tests.Stripe;

public sealed class DeclineTests
{
    [Theory]
    // Stripe's advice, before any table
    [InlineData("card_declined", "insufficient_funds", "try_again_later", DeclineKind.Soft)]
    [InlineData("card_declined", "generic_decline", "do_not_try_again", DeclineKind.Hard)]
    [InlineData("card_declined", "lost_card", "try_again_later", DeclineKind.Soft)]
    [InlineData("expired_card", "expired_card", "confirm_card_data", DeclineKind.Hard)]
    // no advice, or one unheard of: the tables
    [InlineData("card_declined", "fraudulent", null, DeclineKind.Hard)]
    [InlineData("card_declined", "lost_card", "unheard_of", DeclineKind.Hard)]
    [InlineData("card_declined", "insufficient_funds", null, DeclineKind.Soft)]
    [InlineData("card_declined", "card_velocity_exceeded", null, DeclineKind.Soft)]
    [InlineData("processing_error", null, null, DeclineKind.Soft)]
    [InlineData("expired_card", null, null, DeclineKind.Hard)]
    [InlineData("incorrect_cvc", null, null, DeclineKind.Hard)]
    // authentication, whatever else is said
    [InlineData("authentication_required", "authentication_required", "do_not_try_again", DeclineKind.AuthenticationRequired)]
    [InlineData("card_declined", "authentication_required", null, DeclineKind.AuthenticationRequired)]
    [InlineData("authentication_required", "authentication_not_handled", null, DeclineKind.AuthenticationRequired)]
    // unknown
    [InlineData("unheard_of", "unheard_of_too", null, DeclineKind.Soft)]
    [InlineData(null, null, null, DeclineKind.Soft)]
    public void A_decline_is_classified(string? code, string? declineCode, string? adviceCode, DeclineKind kind)
    {
        Assert.Equal(kind, Decline.Classify(new StripeError { Code = code, DeclineCode = declineCode, AdviceCode = adviceCode }));
    }

    [Theory]
    [InlineData("lost_card")]
    [InlineData("stolen_card")]
    [InlineData("pickup_card")]
    [InlineData("incorrect_number")]
    [InlineData("revocation_of_authorization")]
    [InlineData("revocation_of_all_authorizations")]
    [InlineData("highest_risk_level")]
    [InlineData("transaction_not_allowed")]
    public void What_Smart_Retries_never_repeat_is_hard(string code)
    {
        Assert.Equal(DeclineKind.Hard, Decline.Classify(new StripeError { Code = "card_declined", DeclineCode = code }));
    }

    [Fact]
    public void The_code_to_store_is_the_most_telling_one()
    {
        Assert.Equal("lost_card", Decline.Code(new StripeError { Type = "card_error", Code = "card_declined", DeclineCode = "lost_card" }));
        Assert.Equal("expired_card", Decline.Code(new StripeError { Type = "card_error", Code = "expired_card" }));
        Assert.Equal("card_error", Decline.Code(new StripeError { Type = "card_error" }));
        Assert.Equal("unknown", Decline.Code(null));
        Assert.Equal(DeclineKind.Soft, Decline.Classify(null));
    }

    [Theory]
    [InlineData("eur", 2)]
    [InlineData("usd", 2)]
    [InlineData("EUR", 2)]
    [InlineData("jpy", 0)]
    [InlineData("xpf", 0)]
    [InlineData("isk", 2)]
    [InlineData("ugx", 2)]
    [InlineData("huf", 2)]
    [InlineData("kwd", 3)]
    [InlineData("tnd", 3)]
    public void A_currency_has_its_decimals(string code, int exponent)
    {
        Assert.True(Currency.IsKnown(code));
        Assert.Equal(exponent, Currency.Exponent(code));
    }

    [Theory]
    [InlineData("")]
    [InlineData("eu")]
    [InlineData("xyz")]
    [InlineData("btc")]
    public void A_currency_that_is_not_known_is_refused_by_name(string code)
    {
        Assert.False(Currency.IsKnown(code));
        Assert.Contains($"'{code}'", Assert.Throws<ArgumentException>(() => Currency.Exponent(code)).Message, StringComparison.Ordinal);
    }
}
