using Jobs.Database;

namespace Jobs.Receipts;

/// <summary>A row of `receipts` with all that is written on it.</summary>
public sealed class Receipt
{
    public string Number { get; init; } = "";
    public DateTime IssuedAt { get; init; }
    public long AmountMinor { get; init; }
    public string Currency { get; init; } = "";

    public long PaymentId { get; init; }
    public long UserId { get; init; }
    public string Purpose { get; init; } = "";
    public string Status { get; init; } = "";
    public long AmountRefundedMinor { get; init; }
    public string Method { get; init; } = "";
    public string? ProviderPaymentId { get; init; }
    public string? Reference { get; init; }

    public string PayerName { get; init; } = "";
    public string PayerEmail { get; init; } = "";

    public string? Plan { get; init; }
    public DateOnly? PeriodStart { get; init; }
    public string? IntervalUnit { get; init; }
    public int? IntervalCount { get; init; }
    public int? AnchorDay { get; init; }

    public string? MembershipType { get; init; }
    public bool ReducedPrice { get; init; }
    public DateOnly? StartDate { get; init; }
    public DateOnly? EndDate { get; init; }

    public long? OrderId { get; init; }

    /// <summary>The order's first items.</summary>
    public IReadOnlyList<ReceiptItem> Items { get; private set; } = [];

    private const string Find =
        """
        SELECT r.number, r.issued_at, r.amount_minor, r.currency,
               p.id AS payment_id, p.user_id, p.purpose, p.status, p.amount_refunded_minor, p.method, p.provider_payment_id, p.reference,
               u.name AS payer_name, u.email AS payer_email,
               coalesce(nullif(plan.name, ''), plan.code) AS plan, p.period_start, plan.interval_unit, plan.interval_count, s.anchor_day::int,
               coalesce(m.type, p.membership_type) AS membership_type, coalesce(m.reduced_price, p.reduced_price) AS reduced_price,
               m.start_date, m.end_date, p.order_id
        FROM receipts AS r
        JOIN payments AS p ON p.id = r.payment_id
        JOIN users AS u ON u.id = p.user_id
        LEFT JOIN subscriptions AS s ON s.id = p.subscription_id
        LEFT JOIN plans AS plan ON plan.id = coalesce(p.plan_id, s.plan_id)
        LEFT JOIN memberships AS m ON m.id = p.membership_id
        WHERE r.payment_id = @paymentId
        """;

    // Of an order without end the first hundred; what the others are worth comes with each.
    private const string FindItems =
        """
        SELECT coalesce(nullif(product.name, ''), product.sku, '#' || i.product_id) AS name, i.quantity, i.unit_amount_minor,
               count(*) OVER () AS item_count, sum(i.quantity::numeric * i.unit_amount_minor) OVER () AS total_minor
        FROM order_items AS i
        LEFT JOIN products AS product ON product.id = i.product_id
        WHERE i.order_id = (SELECT order_id FROM payments WHERE id = @paymentId)
        ORDER BY i.id
        LIMIT 100
        """;

    /// <returns>Null when no receipt was issued for the payment.</returns>
    public static Task<Receipt?> FindAsync(Db db, long paymentId, CancellationToken cancellation) =>
        db.TransactionAsync(
            async tx =>
            {
                await using var answers = await tx.QueryMultipleAsync($"{Find};\n{FindItems}", new { paymentId });
                var receipt = await answers.ReadSingleOrDefaultAsync<Receipt>();
                receipt?.Items = await answers.ReadAsync<ReceiptItem>();
                return receipt;
            },
            cancellation);

    internal Receipt With(params IReadOnlyList<ReceiptItem> items)
    {
        Items = items;
        return this;
    }
}

public sealed class ReceiptItem
{
    public string Name { get; init; } = "";
    public long Quantity { get; init; }
    public long UnitAmountMinor { get; init; }

    /// <summary>Of the whole order.</summary>
    public long ItemCount { get; init; }

    /// <inheritdoc cref="ItemCount"/>
    public decimal TotalMinor { get; init; }
}
