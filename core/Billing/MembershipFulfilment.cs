using Jobs.Database;

namespace Jobs.Billing;

/// <summary>
/// What a paid or granted membership is: a year. One per person and type at a time, held by the database; renewable in its
/// last month, the new term following the old; circus needs an active basic membership.
/// </summary>
public sealed class MembershipFulfilment(BusinessZone zone)
{
    // The last day still counts.
    private const string Held =
        """
        SELECT max(end_date) FILTER (WHERE type = @type) AS latest_end,
               coalesce(bool_or(type = 'basic' AND start_date <= @today), false) AS basic
        FROM memberships
        WHERE user_id = @userId AND canceled_at IS NULL AND end_date >= @today
        """;

    private sealed class Memberships
    {
        public DateOnly? LatestEnd { get; init; }

        /// <summary>A basic member today.</summary>
        public bool Basic { get; init; }
    }

    /// <param name="Refusal">Set when the rules forbid it.</param>
    internal sealed record Entry(Term Term, Refusal? Refusal = null);

    /// <summary>The term that a membership of this type gets now. The payer's row is locked, or two may get the same.</summary>
    internal async Task<Entry> EnterAsync(Tx tx, long userId, string type, DateTime now)
    {
        var today = zone.Date(now);
        var held = await tx.SingleAsync<Memberships>(Held, new { userId, type, today });
        if (held.LatestEnd is { } end && end.AddMonths(-1) is var renewable && today < renewable)
        {
            return new(default, new(
                ParkingReason.Duplicate, $"user {userId} has a {type} membership until {Text(end)}, renewable from {Text(renewable)}"));
        }

        if (type == "circus" && !held.Basic)
        {
            return new(default, new(
                ParkingReason.MembershipRefused, $"user {userId} has no active basic membership, which a circus membership needs"));
        }

        var start = held.LatestEnd?.AddDays(1) ?? today;
        return new(new Term(start, start.AddYears(1).AddDays(-1)));
    }

    // Circus is always an upgrade, of the basic membership that it needs; its other price stands in where none is set for that.
    private const string Prices =
        """
        SELECT amount_minor, currency, row_number() OVER (PARTITION BY currency ORDER BY upgrade = (@type = 'circus') DESC) = 1 AS fits
        FROM membership_prices
        WHERE type = @type AND reduced_price = @reduced
        ORDER BY currency = @Currency DESC, fits DESC, currency
        """;

    private sealed class Price
    {
        public long AmountMinor { get; init; }
        public string Currency { get; init; } = "";
        public bool Fits { get; init; }
    }

    /// <summary>At the desk the price that fits; what a provider has taken may be either, rather than wait for somebody to give it back.</summary>
    private static async Task<Refusal?> CheckPriceAsync(Tx tx, Received received, string type, bool reduced)
    {
        var prices = await tx.QueryAsync<Price>(Prices, new { type, reduced, received.Currency });
        if (prices.Exists(p => p.AmountMinor == received.AmountMinor && p.Currency == received.Currency && (p.Fits || !received.CanBeRefused)))
        {
            return null;
        }

        var membership = $"{type} membership{(reduced ? " at the reduced price" : "")}";
        return new(ParkingReason.AmountMismatch, prices is [var price, ..]
            ? $"a {membership} costs {Amount.Text(price.AmountMinor, price.Currency)}, not {Amount.Text(received.AmountMinor, received.Currency)}"
            : $"there is no price for a {membership}; add it to membership_prices");
    }

    private const string Insert =
        """
        WITH granted AS (
            INSERT INTO memberships (user_id, type, start_date, end_date, reduced_price, payment_id, recorded_by, reference, created_at)
            VALUES (@userId, @type, @Start, @End, @reduced, @paymentId, @recordedBy, @reference, @Now)
            RETURNING id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'membership.granted', 'membership', id, @RunId,
                   jsonb_build_object('type', @type, 'start_date', @Start::date, 'end_date', @End::date, 'reduced_price', @reduced,
                       'recorded_by', @recordedBy::bigint)
            FROM granted
        )
        SELECT id FROM granted
        """;

    internal static Task<long> InsertAsync(
        Tx tx, Origin origin, long userId, string type, Term term, bool reduced, long? paymentId = null, long? recordedBy = null,
        string? reference = null) =>
        tx.SingleAsync<long>(
            Insert,
            new { userId, type, term.Start, term.End, reduced, paymentId, recordedBy, reference, origin.Now, origin.Actor, origin.RunId });

    /// <returns>Null when granted - in a dry run or foreseen: when it would be -, else why not, and nothing written.</returns>
    internal async Task<Refusal?> GrantAsync(Tx tx, Success success)
    {
        if (success.MembershipType is not { } type)
        {
            return new(ParkingReason.MembershipRefused, "nobody knows which membership it pays for");
        }

        var entry = await EnterAsync(tx, success.UserId, type, success.Origin.Now);
        if (entry.Refusal is { } refusal)
        {
            return refusal;
        }

        if (success.AmountMinor is null && await CheckPriceAsync(tx, success.Received, type, success.ReducedPrice) is { } disagreement)
        {
            return disagreement;
        }

        success.Term = entry.Term;
        if (tx.ReadOnly || success.Foreseen)
        {
            return null;
        }

        success.MembershipId = await InsertAsync(
            tx, success.Origin, success.UserId, type, entry.Term, success.ReducedPrice, recordedBy: success.Received.RecordedBy);
        await success.BookAsync(tx, zone);
        await tx.ExecuteAsync(
            "UPDATE memberships SET payment_id = @PaymentId WHERE id = @MembershipId", new { PaymentId = success.Booked.Id, success.MembershipId });
        return null;
    }

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
}
