using Jobs.Database;
using Npgsql;

namespace Jobs.Billing;

/// <summary>A membership that staff grant: for nothing, or for a payment that was recorded for nothing else.</summary>
public sealed record MembershipGrant
{
    public required long UserId { get; init; }

    /// <summary><c>basic</c> or <c>circus</c>.</summary>
    public required string Type { get; init; }

    /// <summary>Whoever grants has seen the proof, which is kept nowhere.</summary>
    public bool ReducedPrice { get; init; }

    /// <summary>The user's own succeeded payment that pays for it.</summary>
    public long? PaymentId { get; init; }

    /// <summary>The user, staff or admin, who grants it.</summary>
    public required long RecordedBy { get; init; }

    /// <summary>The caller's name for this grant; the same one again is the same grant.</summary>
    public required string Reference { get; init; }
}

/// <summary>What became of a <see cref="MembershipGrant"/>.</summary>
public sealed class GrantedMembership
{
    /// <summary>Null when it was only foreseen.</summary>
    public long? MembershipId { get; init; }
    public DateOnly StartDate { get; init; }

    /// <summary>Inclusive: a member on this day still is one.</summary>
    public DateOnly EndDate { get; init; }

    /// <summary>Granted before, under the same reference; nothing changed.</summary>
    public bool Repeated { get; init; }
}

/// <summary>
/// Grants memberships by the rules that paid ones follow: membership, mail and audit rows in one transaction, or nothing.
/// Safe to repeat under the same reference, also after a lost answer and by two callers at once.
/// </summary>
public sealed class MembershipService(Db db, BusinessZone zone)
{
    private readonly MembershipFulfilment _memberships = new(zone);

    /// <returns>What was granted, now or the first time; on a read-only <see cref="Db"/> what would be.</returns>
    /// <exception cref="RefusedException">A rule says no. Nothing was written.</exception>
    public async Task<GrantedMembership> GrantAsync(MembershipGrant grant, Origin origin, CancellationToken cancellation = default)
    {
        if (grant.Type is not ("basic" or "circus"))
        {
            throw new RefusedException(RefusalReason.Invalid, $"the membership type must be basic or circus, not '{grant.Type}'");
        }

        Reference.Check(grant.Reference);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await db.TransactionAsync(tx => InTransactionAsync(tx, grant, origin), cancellation);
            }
            catch (PostgresException e) when (
                e.SqlState is PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ExclusionViolation && attempt < 3)
            {
                // Somebody used the reference or the term between our look and our write; the next look sees it.
            }
        }
    }

    private async Task<GrantedMembership> InTransactionAsync(Tx tx, MembershipGrant grant, Origin origin)
    {
        var (known, role, first, payment) = await LookAsync(tx, grant);
        if (first is not null)
        {
            first.CheckSame(grant);
            return new() { MembershipId = first.Id, StartDate = first.StartDate, EndDate = first.EndDate, Repeated = true };
        }

        if (!known)
        {
            throw new RefusedException(ParkingReason.UserUnknown, $"there is no user {grant.UserId}");
        }

        Recorder.Check(grant.RecordedBy, role);
        CheckPayment(grant, payment);
        var (term, refusal) = await _memberships.EnterAsync(tx, grant.UserId, grant.Type, origin.Now);
        if (refusal is not null)
        {
            throw new RefusedException(refusal);
        }

        return new() { MembershipId = tx.ReadOnly ? null : await WriteAsync(tx, grant, term, origin), StartDate = term.Start, EndDate = term.End };
    }

    // The payer first, so that two grants, or a grant and a refund, queue up.
    private const string Look =
        """
        SELECT role FROM users WHERE id = @RecordedBy;
        SELECT id, user_id, type, reduced_price, payment_id, recorded_by, start_date, end_date FROM memberships WHERE reference = @Reference;
        SELECT user_id, status, purpose, amount_minor > 0 AND amount_refunded_minor >= amount_minor AS given_back,
               p.membership_id IS NOT NULL
               OR EXISTS (SELECT FROM memberships AS m WHERE m.user_id = p.user_id AND m.payment_id = p.id) AS tied
        FROM payments AS p
        WHERE p.id = @PaymentId
        """;

    /// <summary>What stands under the reference already.</summary>
    private sealed class First
    {
        public long Id { get; init; }
        public long UserId { get; init; }
        public string Type { get; init; } = "";
        public bool ReducedPrice { get; init; }
        public long? PaymentId { get; init; }
        public long? RecordedBy { get; init; }
        public DateOnly StartDate { get; init; }
        public DateOnly EndDate { get; init; }

        public void CheckSame(MembershipGrant now) => Reference.CheckSame(
            now.Reference,
            $"membership {Id}",
            ("user", UserId, now.UserId),
            ("type", Type, now.Type),
            ("reduced price", ReducedPrice, now.ReducedPrice),
            ("payment", PaymentId, now.PaymentId),
            ("recorder", RecordedBy, now.RecordedBy));
    }

    private sealed class Paid
    {
        public long UserId { get; init; }
        public string Status { get; init; } = "";
        public string Purpose { get; init; } = "";
        public bool GivenBack { get; init; }
        public bool Tied { get; init; }
    }

    private static async Task<(bool Known, string? Role, First? First, Paid? Payment)> LookAsync(Tx tx, MembershipGrant grant)
    {
        await using var answers = await tx.QueryMultipleAsync(
            $"SELECT id FROM users WHERE id = @UserId {tx.RowLock};\n{Look}",
            new { grant.UserId, grant.RecordedBy, grant.Reference, grant.PaymentId });
        var user = await answers.ReadSingleOrDefaultAsync<long?>();
        var role = await answers.ReadSingleOrDefaultAsync<string>();
        var first = await answers.ReadSingleOrDefaultAsync<First>();
        return (user is not null, role, first, await answers.ReadSingleOrDefaultAsync<Paid>());
    }

    private static void CheckPayment(MembershipGrant grant, Paid? payment)
    {
        var wrong = grant.PaymentId is null ? null
            : payment is null ? "is unknown"
            : payment.UserId != grant.UserId ? $"is not one of user {grant.UserId}"
            : payment.Status != PaymentStatus.Succeeded ? $"is {payment.Status}, not succeeded"
            : payment.GivenBack ? "was given back"
            : payment.Tied ? "has paid for another membership"
            : payment.Purpose is "order" or "subscription" ? $"has paid for {(payment.Purpose == "order" ? "an" : "a")} {payment.Purpose}"
            : null;
        if (wrong is not null)
        {
            throw new RefusedException(RefusalReason.PaymentRefused, $"payment {grant.PaymentId} {wrong}");
        }
    }

    private const string Tie =
        """
        WITH tied AS (
            UPDATE payments
            SET membership_id = @id, updated_at = clock_timestamp()
            WHERE id = @PaymentId AND status = 'succeeded' AND membership_id IS NULL
            RETURNING id
        )
        INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
        SELECT @Actor, 'payment.tied', 'payment', id, @RunId, jsonb_build_object('membership_id', @id)
        FROM tied
        """;

    private static async Task<long> WriteAsync(Tx tx, MembershipGrant grant, Term term, Origin origin)
    {
        var id = await MembershipFulfilment.InsertAsync(
            tx, origin, grant.UserId, grant.Type, term, grant.ReducedPrice, grant.PaymentId, grant.RecordedBy, grant.Reference);
        if (grant.PaymentId is not null
            && await tx.ExecuteAsync(Tie, new { id, grant.PaymentId, origin.Actor, origin.RunId }) == 0)
        {
            throw new RefusedException(RefusalReason.PaymentRefused, $"payment {grant.PaymentId} changed just now; look at it again");
        }

        await tx.NotifyUserAsync(
            origin, "membership_granted", grant.UserId, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"membership_granted:{id}"),
            JsonText.Of(
                ("membership_id", id), ("type", grant.Type), ("start_date", term.Start), ("end_date", term.End),
                ("reduced_price", grant.ReducedPrice)));
        return id;
    }
}
