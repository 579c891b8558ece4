using Jobs.Database;
using Jobs.Runs;

namespace Jobs.Billing;

/// <summary>
/// What a paid membership grants: a year. One per person and type at a time, held by the database; renewable in its last
/// month, the new term following the old; circus needs an active basic membership.
/// </summary>
public sealed class MembershipFulfilment(JobRun run, BusinessZone zone)
{
    private const string LatestEnd =
        "SELECT max(end_date) FROM memberships WHERE user_id = @UserId AND type = @type AND canceled_at IS NULL AND end_date >= @today";

    private const string Price =
        """
        SELECT EXISTS (
            SELECT FROM membership_prices
            WHERE type = @type AND reduced_price = @reduced AND amount_minor = @AmountReceived AND currency = @Currency)
        """;

    private const string Insert =
        """
        WITH granted AS (
            INSERT INTO memberships (user_id, type, start_date, end_date, reduced_price, created_at)
            VALUES (@UserId, @type, @start, @end, @reduced, @Now)
            RETURNING id
        ),
        audit AS (
            INSERT INTO audit_logs (actor, action, subject_type, subject_id, run_id, data)
            SELECT @Actor, 'membership.granted', 'membership', id, @RunId,
                   jsonb_build_object('type', @type, 'start_date', @start::date, 'end_date', @end::date, 'reduced_price', @reduced)
            FROM granted
        )
        SELECT id FROM granted
        """;

    /// <returns>Null when granted, else the parking reason and nothing written.</returns>
    internal async Task<string?> GrantAsync(Tx tx, Success success)
    {
        if (success.MembershipType is not { } type)
        {
            return ParkingReason.MembershipRefused;
        }

        var today = zone.Date(run.Now);
        if (success.AmountMinor is null
            && !await tx.SingleAsync<bool>(Price, new { type, reduced = success.ReducedPrice, success.Intent.AmountReceived, success.Intent.Currency }))
        {
            return ParkingReason.AmountMismatch;
        }

        var start = today;
        if (await tx.SingleOrDefaultAsync<DateOnly?>(LatestEnd, new { success.UserId, type, today }) is { } end)
        {
            if (today < end.AddMonths(-1))
            {
                return ParkingReason.Duplicate;
            }

            start = end.AddDays(1);
        }

        if (type == "circus" && await tx.SingleOrDefaultAsync<DateOnly?>(LatestEnd, new { success.UserId, type = "basic", today }) is null)
        {
            return ParkingReason.MembershipRefused;
        }

        success.MembershipId = await tx.SingleAsync<long>(
            Insert,
            new
            {
                success.UserId,
                type,
                start,
                end = start.AddYears(1).AddDays(-1),
                reduced = success.ReducedPrice,
                run.Now,
                Actor = run.Job.Name,
                RunId = run.Id,
            });
        var booked = await success.BookAsync(tx, run, zone);
        await tx.ExecuteAsync("UPDATE memberships SET payment_id = @PaymentId WHERE id = @MembershipId", new { PaymentId = booked.Id, success.MembershipId });
        run.Log.LogFulfilled(booked.Id, success.Intent.Id, booked.Number);
        return null;
    }
}
