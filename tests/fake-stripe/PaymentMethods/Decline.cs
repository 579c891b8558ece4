namespace Jobs.Testing.FakeStripe;

/// <summary>How Stripe words one refusal of the card.</summary>
internal sealed record Decline(string Code, string DeclineCode, string? AdviceCode, string Message, string? Param = null)
{
    private const string Generic = "Your card was declined.";
    private const string AuthenticationMessage = "Your card was declined. This transaction requires authentication.";

    /// <summary>The issuer wants the customer present.</summary>
    public static readonly Decline AuthenticationRequired = new("authentication_required", "authentication_required", AdviceCode: null, AuthenticationMessage);

    /// <summary>The same, when the caller asked for an error rather than requires_action.</summary>
    public static readonly Decline AuthenticationNotHandled = new("authentication_required", "authentication_not_handled", AdviceCode: null, AuthenticationMessage);

    /// <summary>Stripe's own block of a card it will not ask again: it never reaches the network.</summary>
    public static readonly Decline DoNotRetry = new("card_declined", "generic_decline", AdviceCode: null, Generic);

    public bool Blocked => ReferenceEquals(this, DoNotRetry);

    private static readonly Dictionary<string, Decline> ByName = new(StringComparer.Ordinal)
    {
        ["generic_decline"] = new("card_declined", "generic_decline", "try_again_later", Generic),
        ["insufficient_funds"] = new("card_declined", "insufficient_funds", "try_again_later", "Your card has insufficient funds."),
        ["lost_card"] = new("card_declined", "lost_card", "do_not_try_again", Generic),
        ["stolen_card"] = new("card_declined", "stolen_card", "do_not_try_again", Generic),
        ["expired_card"] = new("expired_card", "expired_card", "confirm_card_data", "Your card has expired.", "exp_month"),
        ["incorrect_cvc"] = new("incorrect_cvc", "incorrect_cvc", "confirm_card_data", "Your card's security code is incorrect.", "cvc"),
        ["processing_error"] = new("processing_error", "processing_error", "try_again_later", "An error occurred while processing your card. Try again in a little bit."),
        ["fraudulent"] = new("card_declined", "fraudulent", AdviceCode: null, Generic),
        ["card_velocity_exceeded"] = new("card_declined", "card_velocity_exceeded", AdviceCode: null, "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."),
        ["do_not_retry"] = DoNotRetry,
    };

    /// <summary>By behaviour name; <c>decline:some_code</c> makes any other decline code.</summary>
    public static Decline? Named(string behaviour) =>
        behaviour.StartsWith("decline:", StringComparison.Ordinal)
            ? new Decline("card_declined", behaviour[8..], AdviceCode: null, Generic)
            : ByName.GetValueOrDefault(behaviour);
}
