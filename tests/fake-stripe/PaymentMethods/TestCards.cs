namespace Jobs.Testing.FakeStripe;

/// <summary>
/// Stripe's named test payment methods. Using one makes a new payment method each time; those that decline cannot
/// be attached.
/// </summary>
internal sealed record TestCard(string Brand, string Last4, string Behaviour, bool Attachable = true)
{
    public static readonly Dictionary<string, TestCard> ByName = new(StringComparer.Ordinal)
    {
        ["pm_card_visa"] = new("visa", "4242", "success"),
        ["pm_card_visa_debit"] = new("visa", "5556", "success"),
        ["pm_card_mastercard"] = new("mastercard", "4444", "success"),
        ["pm_card_mastercard_debit"] = new("mastercard", "3222", "success"),
        ["pm_card_amex"] = new("amex", "8431", "success"),
        ["pm_card_chargeDeclined"] = Declining("0002", "generic_decline"),
        ["pm_card_visa_chargeDeclined"] = Declining("0002", "generic_decline"),
        ["pm_card_visa_chargeDeclinedInsufficientFunds"] = Declining("9995", "insufficient_funds"),
        ["pm_card_visa_chargeDeclinedLostCard"] = Declining("9987", "lost_card"),
        ["pm_card_visa_chargeDeclinedStolenCard"] = Declining("9979", "stolen_card"),
        ["pm_card_visa_chargeDeclinedVelocityLimitExceeded"] = Declining("6975", "card_velocity_exceeded"),
        ["pm_card_chargeDeclinedExpiredCard"] = Declining("0069", "expired_card"),
        ["pm_card_chargeDeclinedIncorrectCvc"] = Declining("0127", "incorrect_cvc"),
        ["pm_card_chargeDeclinedProcessingError"] = Declining("0119", "processing_error"),
        ["pm_card_chargeDeclinedFraudulent"] = Declining("0019", "fraudulent"),
        ["pm_card_chargeCustomerFail"] = new("visa", "0341", "generic_decline"),
        ["pm_card_authenticationRequiredOnSetup"] = new("visa", "3155", "success"),
        ["pm_card_authenticationRequired"] = new("visa", "3184", "authentication_required"),
        ["pm_card_authenticationRequiredSetupForOffSession"] = new("visa", "0446", "success"),
        ["pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"] = new("visa", "3178", "authentication_required,insufficient_funds"),
    };

    public PaymentMethod Create(World world) => world.Register(new PaymentMethod
    {
        Id = world.Ids.New("pm_"),
        Created = world.NowSeconds,
        Brand = Brand,
        Last4 = Last4,
        Behaviour = new Behaviour(Behaviour),
        FromTestCard = this,
    });

    private static TestCard Declining(string last4, string behaviour) => new("visa", last4, behaviour, Attachable: false);
}
