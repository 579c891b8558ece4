using System.Globalization;
using Jobs.Billing;
using Jobs.Mail;

namespace Jobs.Receipts;

/// <summary>What was paid for: a line of a receipt.</summary>
/// <param name="Detail">In small, such as the period; empty for none.</param>
/// <param name="Amount">Empty where only the total is known.</param>
public sealed record ReceiptLine(string Text, string Detail, string Amount);

/// <summary>
/// A receipt in words: what its PDF and its HTML both say. The same rows give the same document, whenever it is made; money
/// that went back since is on it.
/// </summary>
public sealed class ReceiptDocument
{
    private readonly Receipt _receipt;

    /// <exception cref="ArgumentException">The currency is unknown.</exception>
    public ReceiptDocument(Receipt receipt, Language language, Business issuer, BusinessZone zone)
    {
        _receipt = receipt;
        (Language, Issuer) = (language, issuer);
        Number = OneLine.Of(receipt.Number, 40);
        IssuedOn = DateText.Of(zone.Date(receipt.IssuedAt), language);
        PayerName = OneLine.Of(receipt.PayerName);
        Payer = [.. new[] { PayerName, OneLine.Of(receipt.PayerEmail) }.Where(line => line.Length > 0)];
        Amount = Money(receipt.AmountMinor);
        Method = Words.Method(receipt.Method, language);
        Reference = OneLine.Of(receipt.ProviderPaymentId ?? receipt.Reference, 80) is { Length: > 0 } reference ? reference : null;
        Lines = [.. WhatWasPaid()];
    }

    public Language Language { get; }
    public Business Issuer { get; }
    public string Number { get; }
    public DateTime IssuedAt => _receipt.IssuedAt;
    public string IssuedOn { get; }

    /// <summary>Empty when only the address is known.</summary>
    public string PayerName { get; }

    public IReadOnlyList<string> Payer { get; }
    public IReadOnlyList<ReceiptLine> Lines { get; }
    public string Amount { get; }
    public string Method { get; }
    public string? Reference { get; }

    public string Title => Language.Of("Reçu de paiement", "Payment receipt", "Квитанция об оплате");

    public string NotAnInvoice => Language.Of(
        "Ce document est un reçu de paiement. Ce n’est pas une facture.",
        "This document is a payment receipt. It is not an invoice.",
        "Этот документ является квитанцией об оплате. Это не счёт-фактура.");

    /// <summary>What became of the money since, or null.</summary>
    public string? Reversal => _receipt switch
    {
        { Status: "disputed" } => Language.Of(
            "Ce paiement a été contesté auprès de la banque du payeur.",
            "This payment was disputed at the payer’s bank.",
            "Этот платёж был оспорен в банке плательщика."),
        { Status: "refunded" } =>
            Language.Of("Ce paiement a été remboursé intégralement.", "This payment was refunded in full.", "Этот платёж возвращён полностью."),
        { AmountRefundedMinor: > 0 } =>
            Language.Of("Ce paiement a été remboursé en partie.", "This payment was refunded in part.", "Этот платёж возвращён частично."),
        _ => null,
    };

    /// <summary>With the sign that it went back; null when nothing did.</summary>
    public string? Refunded => _receipt.AmountRefundedMinor > 0 ? Money(-_receipt.AmountRefundedMinor) : null;

    public string PaidLabel => Language.Of("Montant payé", "Amount paid", "Оплачено");
    public string RefundedLabel => Language.Of("Remboursé", "Refunded", "Возвращено");
    public string NumberLabel => Language.Of("Numéro", "Number", "Номер");
    public string IssuedLabel => Language.Of("Date", "Date", "Дата");
    public string PayerLabel => Language.Of("Payé par", "Paid by", "Плательщик");
    public string MethodLabel => Language.Of("Moyen de paiement", "Payment method", "Способ оплаты");
    public string ReferenceLabel => Language.Of("Référence", "Reference", "Идентификатор");
    public string LinesLabel => Language.Of("Désignation", "Description", "Наименование");
    public string AmountLabel => Language.Of("Montant", "Amount", "Сумма");

    /// <summary>ASCII, such as <c>receipt-2026-000123.pdf</c>.</summary>
    public string FileName => $"receipt-{string.Concat(Number.Where(c => char.IsAsciiLetterOrDigit(c) || c == '-'))}.pdf";

    /// <summary>As a mail says it.</summary>
    internal IReadOnlyList<MailRow> Rows()
    {
        var rows = new List<MailRow>
        {
            new(Title, Number), new(IssuedLabel, IssuedOn), new(PayerLabel, string.Join(", ", Payer)),
        };
        rows.AddRange(Lines.Select(l => l.Amount.Length > 0
            ? new MailRow(l.Detail.Length > 0 ? $"{l.Text} ({l.Detail})" : l.Text, l.Amount)
            : new MailRow("", l.Detail.Length > 0 ? $"{l.Text} ({l.Detail})" : l.Text)));
        rows.Add(new(PaidLabel, Amount, Strong: true));
        if (Refunded is not null)
        {
            rows.Add(new(RefundedLabel, Refunded));
        }

        rows.Add(new(MethodLabel, Method));
        if (Reference is not null)
        {
            rows.Add(new(ReferenceLabel, Reference));
        }

        if (Reversal is not null)
        {
            rows.Add(new("", Reversal, Strong: true));
        }

        rows.Add(new("", NotAnInvoice));
        return rows;
    }

    private IEnumerable<ReceiptLine> WhatWasPaid() => _receipt switch
    {
        { OrderId: { } order, Items.Count: > 0 } => Items(order),
        { OrderId: { } order } => [new(Order(order), "", Amount)],
        { Purpose: "membership" } or { MembershipType: not null, Plan: null } =>
            [new(Words.Membership(_receipt.MembershipType ?? "", _receipt.ReducedPrice, Language), Span(_receipt.StartDate, _receipt.EndDate), Amount)],
        { Purpose: "subscription" } or { Plan: not null } => [new(Subscription(), Span(_receipt.PeriodStart, PeriodEnd()), Amount)],
        _ => [new(Language.Of("Paiement", "Payment", "Платёж"), "", Amount)],
    };

    private IEnumerable<ReceiptLine> Items(long order)
    {
        yield return new(Order(order), "", "");
        foreach (var item in _receipt.Items)
        {
            var each = item.Quantity == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"{item.Quantity} × {Money(item.UnitAmountMinor)}");
            yield return new(OneLine.Of(item.Name), each, Money((decimal)item.Quantity * item.UnitAmountMinor));
        }

        if (_receipt.Items[0].ItemCount - _receipt.Items.Count is > 0 and var others)
        {
            var rest = _receipt.Items[0].TotalMinor - _receipt.Items.Sum(i => (decimal)i.Quantity * i.UnitAmountMinor);
            yield return new(Language.Of($"Autres articles ({others})", $"Other items ({others})", $"Другие товары ({others})"), "", Money(rest));
        }
    }

    private string Order(long order) => Language.Of($"Commande n° {order}", $"Order no. {order}", $"Заказ № {order}");

    private string Subscription() => OneLine.Of(_receipt.Plan) is { Length: > 0 } plan
        ? Language.Of($"Abonnement {plan}", $"{plan} subscription", $"Подписка {plan}")
        : Language.Of("Abonnement", "Subscription", "Подписка");

    /// <summary>Up to the day on which the next period starts.</summary>
    private DateOnly? PeriodEnd()
    {
        if (_receipt is not { PeriodStart: { } start, IntervalUnit: { } unit, IntervalCount: { } count } || start.Year + count > 9000)
        {
            return null;
        }

        // The anchor of a later period is not this one's.
        var anchor = _receipt.AnchorDay is { } day && Math.Min(day, DateTime.DaysInMonth(start.Year, start.Month)) == start.Day ? day : start.Day;
        var noon = start.ToDateTime(new TimeOnly(12, 0), DateTimeKind.Utc);
        return DateOnly.FromDateTime(BillingPeriod.End(noon, new Interval(unit, count), anchor, Calendar));
    }

    // Days alone: no zone has a say.
    private static readonly BusinessZone Calendar = new("UTC");

    private string Span(DateOnly? start, DateOnly? end) => (start, end) switch
    {
        ({ } from, { } to) => $"{DateText.Of(from, Language)} – {DateText.Of(to, Language)}",
        ({ } from, null) => DateText.Of(from, Language),
        _ => "",
    };

    private string Money(decimal amountMinor) => MoneyText.Of(amountMinor, _receipt.Currency, Language);
}
