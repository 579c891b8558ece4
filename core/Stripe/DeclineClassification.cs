namespace Jobs.Stripe;

public enum DeclineKind
{
    /// <summary>May pass on another day.</summary>
    Soft,

    /// <summary>Never again with this payment method as it is.</summary>
    Hard,

    /// <summary>Only with the customer present; charging again off-session is pointless.</summary>
    AuthenticationRequired,
}

/// <summary>What a refusal means for the next attempt.</summary>
public static class Decline
{
    /// <param name="error">A refused call's error or a PaymentIntent's <c>last_payment_error</c>; null counts as unknown.</param>
    /// <remarks>
    /// A demand for authentication comes first, then Stripe's own advice, then the codes that Stripe documents as final
    /// (among them those its Smart Retries never repeat); what is unknown is soft, within the policy's small number of tries.
    /// </remarks>
    public static DeclineKind Classify(StripeError? error)
    {
        if (IsAuthentication(error?.DeclineCode) || IsAuthentication(error?.Code))
            return DeclineKind.AuthenticationRequired;
        return error?.AdviceCode switch
        {
            StripeAdviceCode.DoNotTryAgain or StripeAdviceCode.ConfirmCardData => DeclineKind.Hard,
            StripeAdviceCode.TryAgainLater => DeclineKind.Soft,
            _ => IsFinal(error?.DeclineCode) || IsFinal(error?.Code) ? DeclineKind.Hard : DeclineKind.Soft,
        };
    }

    /// <summary>The most telling code, to store with the attempt: decline code, else code, else type.</summary>
    public static string Code(StripeError? error) => error?.DeclineCode ?? error?.Code ?? error?.Type ?? "unknown";

    private static bool IsAuthentication(string? code) => code is
        "authentication_required" or "authentication_not_handled" or "payment_intent_authentication_failure";

    // https://docs.stripe.com/declines/codes: "the customer needs to contact their card issuer" or "use another card" or correct it.
    private static bool IsFinal(string? code) => code is
        // the card is gone or was never one
        "lost_card" or "stolen_card" or "pickup_card" or "restricted_card" or "account_closed" or "no_account" or "invalid_account"
        or "new_account_information_available"
        // the holder or the bank said no for good
        or "revocation_of_authorization" or "revocation_of_all_authorizations" or "stop_payment_order" or "debit_not_authorized"
        or "do_not_try_again" or "transaction_not_allowed" or "not_permitted" or "service_not_allowed" or "security_violation"
        or "card_not_supported" or "currency_not_supported"
        // suspected fraud; the customer is told only that the card was declined
        or "fraudulent" or "highest_risk_level" or "merchant_blacklist"
        // the card's data has to be corrected
        or "expired_card" or "incorrect_number" or "invalid_number" or "incorrect_cvc" or "invalid_cvc" or "incorrect_zip" or "incorrect_address"
        or "invalid_expiry_month" or "invalid_expiry_year" or "testmode_decline"
        // a PIN cannot be asked for off-session
        or "incorrect_pin" or "invalid_pin" or "offline_pin_required" or "online_or_offline_pin_required" or "pin_try_exceeded";
}
