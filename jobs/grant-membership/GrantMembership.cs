using Jobs.Billing;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// A membership granted by staff, with the mail about it, or refused with the reason. Run again with the same reference it
/// answers with the first result.
/// </summary>
public sealed class GrantMembership(JobRun run, JobOptions options, MembershipService memberships) : IJob
{
    private static readonly JobOption<long?> User = new("--user", "id", "Who becomes a member.", OptionValue.Id, null, required: true);

    private static readonly JobOption<string?> Type = new(
        "--type", "type", "basic or circus.", OptionValue.OneOf("basic", "circus"), null, required: true);

    private static readonly JobOption<bool> ReducedPrice = new(
        "--reduced-price", "", "Whoever grants has seen the proof.", OptionValue.Flag, false);

    private static readonly JobOption<long?> Payment = new(
        "--payment", "id", "The member's succeeded payment that pays for it.", OptionValue.Id, null);

    private static readonly JobOption<long?> RecordedBy = new(
        "--recorded-by", "id", "The user, staff or admin, who grants it.", OptionValue.Id, null, required: true);

    private static readonly JobOption<string?> Reference = new(
        "--reference", "text", "Your name for this grant; the same one again is the same grant.", OptionValue.Text, null, required: true);

    public static readonly JobOption[] Options = [User, Type, ReducedPrice, Payment, RecordedBy, Reference];

    public async Task RunAsync()
    {
        var grant = Read();
        try
        {
            var granted = await memberships.GrantAsync(grant, run.Origin, run.Aborting);
            run.Count(
                granted.Repeated ? "repeated" : "granted",
                grant.Reference,
                ("membership_id", granted.MembershipId), ("start_date", granted.StartDate), ("end_date", granted.EndDate),
                ("user_id", grant.UserId), ("type", grant.Type), ("reduced_price", grant.ReducedPrice), ("payment_id", grant.PaymentId));
        }
        catch (RefusedException e)
        {
            run.Count("refused", grant.Reference, ("reason", e.Reason));
            throw;
        }
    }

    private MembershipGrant Read() => new()
    {
        UserId = options.Get(User)!.Value,
        Type = options.Get(Type)!,
        ReducedPrice = options.Get(ReducedPrice),
        PaymentId = options.Get(Payment),
        RecordedBy = options.Get(RecordedBy)!.Value,
        Reference = options.Get(Reference)!,
    };
}
