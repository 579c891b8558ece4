using Jobs.Billing;
using Jobs.Runs;

namespace Jobs;

/// <summary>
/// A payment taken by hand: recorded with its receipt number, what it pays for and the mail about it, or refused with the
/// reason. One for a card terminal gets its place in the queue. Run again with the same reference it answers with the first result.
/// </summary>
public sealed class RecordPayment(JobRun run, JobOptions options, PaymentService payments) : IJob
{
    private static readonly JobOption<long?> User = new("--user", "id", "Who paid.", OptionValue.Id, null, required: true);

    private static readonly JobOption<decimal?> Paid = new(
        "--amount", "amount", "What was paid, such as 12.50.", Amount.Parse, null, required: true);

    private static readonly JobOption<string?> Currency = new(
        "--currency", "code", "Of the amount, such as eur.", OptionValue.Text, null, required: true);

    private static readonly JobOption<string?> Method = new(
        "--method", "method", "cash, check, transfer or card_terminal.",
        OptionValue.OneOf("cash", "check", "transfer", "card_terminal"), null, required: true);

    private static readonly JobOption<string?> Purpose = new(
        "--purpose", "purpose", "membership, order, subscription or other.",
        OptionValue.OneOf("membership", "order", "subscription", "other"), null, required: true);

    private static readonly JobOption<string?> MembershipType = new(
        "--membership-type", "type", "With --purpose membership: basic or circus.", OptionValue.OneOf("basic", "circus"), null);

    private static readonly JobOption<bool> ReducedPrice = new(
        "--reduced-price", "", "The membership's; whoever records has seen the proof.", OptionValue.Flag, false);

    private static readonly JobOption<long?> Order = new("--order", "id", "With --purpose order: which.", OptionValue.Id, null);

    private static readonly JobOption<string?> Plan = new(
        "--plan", "code", "With --purpose subscription: the code of its plan.", OptionValue.Text, null);

    private static readonly JobOption<long?> RecordedBy = new(
        "--recorded-by", "id", "The user, staff or admin, who took the money.", OptionValue.Id, null, required: true);

    private static readonly JobOption<string?> Reference = new(
        "--reference", "text", "Your name for this payment; the same one again is the same payment.", OptionValue.Text, null, required: true);

    public static readonly JobOption[] Options =
        [User, Paid, Currency, Method, Purpose, MembershipType, ReducedPrice, Order, Plan, RecordedBy, Reference];

    public async Task RunAsync()
    {
        var payment = Read();
        try
        {
            await (payment.Method == "card_terminal" ? QueueAsync(payment) : RecordAsync(payment));
        }
        catch (RefusedException e)
        {
            run.Count("refused", payment.Reference, ("reason", e.Reason));
            throw;
        }
    }

    private async Task RecordAsync(ManualPayment payment)
    {
        var recorded = await payments.RecordAsync(payment, run.Origin, run.Aborting);
        run.Count(
            recorded.Repeated ? "repeated" : "recorded",
            payment.Reference,
            ("payment_id", recorded.PaymentId), ("receipt_number", recorded.ReceiptNumber), ("user_id", payment.UserId),
            ("amount_minor", payment.AmountMinor), ("currency", payment.Currency), ("method", payment.Method),
            ("purpose", payment.Purpose), ("membership_id", recorded.MembershipId), ("start_date", recorded.StartDate),
            ("end_date", recorded.EndDate), ("order_id", recorded.OrderId), ("subscription_id", recorded.SubscriptionId),
            ("period_start", recorded.PeriodStart), ("canceled_payment_id", recorded.CanceledPaymentId));
    }

    private async Task QueueAsync(ManualPayment payment)
    {
        var queued = await payments.QueueAsync(payment, run.Origin, run.Aborting);
        run.Count(
            queued.Repeated ? "repeated" : "queued",
            payment.Reference,
            ("payment_id", queued.PaymentId), ("queue_id", queued.QueueId), ("position", queued.Position), ("ahead", queued.Ahead),
            ("fallback", queued.Fallback), ("status", queued.Status), ("receipt_number", queued.ReceiptNumber),
            ("user_id", payment.UserId), ("amount_minor", payment.AmountMinor), ("currency", payment.Currency),
            ("method", payment.Method), ("purpose", payment.Purpose), ("order_id", queued.OrderId),
            ("subscription_id", queued.SubscriptionId), ("period_start", queued.PeriodStart));
    }

    private ManualPayment Read()
    {
        var currency = options.Get(Currency)!;
        return new()
        {
            UserId = options.Get(User)!.Value,
            AmountMinor = Amount.Minor(options.Get(Paid)!.Value, currency),
            Currency = currency,
            Method = options.Get(Method)!,
            Purpose = options.Get(Purpose)!,
            RecordedBy = options.Get(RecordedBy)!.Value,
            Reference = options.Get(Reference)!,
            MembershipType = options.Get(MembershipType),
            ReducedPrice = options.Get(ReducedPrice),
            OrderId = options.Get(Order),
            Plan = options.Get(Plan),
        };
    }
}
