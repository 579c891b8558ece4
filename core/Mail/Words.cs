namespace Jobs.Mail;

/// <summary>What columns hold as codes, as people say it.</summary>
internal static class Words
{
    public static string Method(string method, Language language) => method switch
    {
        "card" => language.Of("Carte bancaire", "Card", "Банковская карта"),
        "card_terminal" => language.Of("Carte bancaire (terminal)", "Card (terminal)", "Банковская карта (терминал)"),
        "cash" => language.Of("Espèces", "Cash", "Наличные"),
        "check" => language.Of("Chèque", "Check", "Чек"),
        "transfer" => language.Of("Virement", "Bank transfer", "Банковский перевод"),
        _ => OneLine.Of(method),
    };

    public static string Membership(string type, bool reduced, Language language) =>
        Membership(type, language) + (reduced ? language.Of(" (tarif réduit)", " (reduced price)", " (льготная цена)") : "");

    private static string Membership(string type, Language language) => type switch
    {
        "basic" => language.Of("Adhésion simple", "Basic membership", "Базовое членство"),
        "circus" => language.Of("Adhésion cirque", "Circus membership", "Цирковое членство"),
        _ => language.Of("Adhésion", "Membership", "Членство"),
    };

    /// <summary>For staff.</summary>
    public static string Reason(string reason, Language language) => reason switch
    {
        "customer_mismatch" => language.Of("client différent", "another customer", "другой клиент"),
        "amount_mismatch" => language.Of("montant différent", "another amount", "другая сумма"),
        "currency_mismatch" => language.Of("devise différente", "another currency", "другая валюта"),
        "duplicate" => language.Of("déjà payé, à rembourser", "paid already, to be refunded", "уже оплачено, требуется возврат"),
        "subscription_canceled" => language.Of("abonnement résilié", "subscription canceled", "подписка отменена"),
        "subscription_unknown" => language.Of("abonnement inconnu", "subscription unknown", "подписка неизвестна"),
        "user_unknown" => language.Of("client inconnu", "customer unknown", "клиент неизвестен"),
        "plan_unknown" => language.Of("formule inconnue", "plan unknown", "тариф неизвестен"),
        "order_unknown" => language.Of("commande inconnue", "order unknown", "заказ неизвестен"),
        "membership_refused" => language.Of("adhésion impossible", "membership not possible", "членство невозможно"),
        "canceled" => language.Of("annulé ici, à rembourser", "canceled here, to be refunded", "отменено здесь, требуется возврат"),
        "until" => language.Of("sa durée est écoulée", "its time was over", "истёк срок"),
        "billed_by_stripe" => language.Of(
            "l’abonnement est géré par Stripe Billing, qui continue de prélever : à résilier là-bas",
            "Stripe Billing owns the subscription and goes on charging: cancel it there",
            "подпиской управляет Stripe Billing и продолжает списания: отмените её там"),
        "paid_after_all" => language.Of(
            "l’argent est revenu après la fin de ce qu’il payait : à rétablir ou à rembourser",
            "the money came back after what it paid for was ended: restore it or refund",
            "деньги вернулись после прекращения оплаченного: восстановите или верните их"),
        _ => OneLine.Of(reason),
    };

    /// <summary>What the name of a currency's revenue begins with.</summary>
    public const string Revenue = "revenue_";

    /// <summary>A figure of the day, for staff.</summary>
    public static string Figure(string figure, Language language) => figure switch
    {
        "total_visits" => language.Of("Visites", "Visits", "Посещения"),
        "low_visits" => language.Of("Trop peu de visites", "Too few visits", "Слишком мало посещений"),
        "unique_visitors" => language.Of("Visiteurs", "Visitors", "Посетители"),
        "new_memberships" => language.Of("Nouvelles adhésions", "New memberships", "Новые членства"),
        "failures" => language.Of("Paiements échoués", "Failed payments", "Неудачные платежи"),
        _ when figure.StartsWith(Revenue, StringComparison.Ordinal) => language.Of("Recettes", "Revenue", "Выручка"),
        _ => OneLine.Of(figure),
    };
}
