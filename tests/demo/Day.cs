using System.Globalization;
using static Jobs.Demo.Story;

namespace Jobs.Demo;

/// <summary>One morning: every job once, in the order of its schedule, with a kill and lost answers in the middle of charging.</summary>
internal sealed class Day(Stage stage, Business business, Checks checks)
{
    private Database Database => stage.Database;

    public async Task GoAsync()
    {
        var desk = new Desk(stage, checks);
        await BackUpAsync();
        await SubscriptionSyncAsync();
        await ExpireOrdersAsync();
        await ExpirePaymentsAsync();
        await AutopaymentKilledAsync();
        await AutopaymentAgainAsync();
        await MatchPendingAsync();
        await MatchSuccessfulAsync();
        await AutopaymentOnceMoreAsync();
        await ExpireSubscriptionsAsync();
        await desk.RemindersAsync();
        await desk.CashAsync();
        await new Counter(stage, checks).GoAsync();
        await desk.MailAsync();
        await CleanupStaleAsync();
        await CleanupAsync();
        await CleanupLogsAsync();
        await desk.FiguresAsync();
    }

    private async Task BackUpAsync()
    {
        if (!stage.CanBackUp)
        {
            Story.Tell("backup-database", "left out: pg_dump of the server's version is not on this machine");
            return;
        }

        var run = await stage.RunAsync("backup-database");
        Tell(run, "01:30",
            $"{Number(run["rows"])} rows dumped into {Number(run["bytes"] / 1024)} kB, read back, restored into a scratch database in {run["restore_ms"] / 1000.0:0.0} s and counted again, table by table: a backup that is proven.");
        checks.That(run["verified"] == 1, "the backup was not verified");
    }

    private async Task CleanupLogsAsync()
    {
        var run = await stage.RunAsync("cleanup-logs");
        Tell(run, "Sun  ", "Nothing yet of what runs, mails and log files leave behind is old enough to go.");
        checks.That(run["runs_deleted"] + run["mails_deleted"] == 0, "something young was pruned");
    }

    private async Task ExpireOrdersAsync()
    {
        await stage.Stripe.FaultAsync("hang_before", new { method = "POST", path = $"/v1/payment_intents/{Shop.PaidInTheRace}/cancel", times = 1 });
        using var process = stage.Start("expire-stale-orders");
        await stage.Stripe.HeldAsync(waitMs: 30_000);
        await stage.Stripe.ActAsync(Shop.PaidInTheRace, "pay", new { });
        await stage.Stripe.ReleaseAsync();
        var run = stage.Keep("expire-stale-orders", await process.EndAsync());
        await stage.Stripe.ClearFaultsAsync();
        Tell(run, "03:05",
            $"{Many(run["orders_expired"], "order")} were not paid in time: canceled at Stripe first, then {Many(run["stock_released"], "piece")} back in stock. "
            + $"{run["paid_in_race"]} customer paid in the very moment in which Stripe was asked to cancel: paid, not expired. {run["left"]} waits for a bank debit under way.");
        checks.That(run["orders_expired"] == Shop.Stale - 2, $"{run["orders_expired"]} orders expired");
        checks.That(run["paid_in_race"] == 1 && run["left"] == 1, "an order that was paid, or is being paid, was not left alone");
    }

    private async Task CleanupAsync()
    {
        var run = await stage.RunAsync("cleanup");
        Tell(run, "Sun  ",
            $"{run["sessions_deleted"]} sessions idle for two weeks deleted, {Number(run["audit_logs_archived"])} audit rows older than six months moved to the archive.");
        checks.That(run["sessions_deleted"] == Association.IdleSessions, $"{run["sessions_deleted"]} sessions were deleted");
        checks.That(run["audit_logs_archived"] == Association.OldAuditRows, $"{run["audit_logs_archived"]} audit rows were archived");
    }

    private async Task CleanupStaleAsync()
    {
        var run = await stage.RunAsync("cleanup-stale-payment-intents");
        Tell(run, "Sun  ",
            $"{Many(run["payment_intents_canceled"], "PaymentIntent")} that nobody paid for more than a week canceled; those of living orders and payments are left.");
        checks.That(run["payment_intents_canceled"] == Shop.Abandoned, $"{run["payment_intents_canceled"]} abandoned PaymentIntents were canceled");
    }

    private async Task SubscriptionSyncAsync()
    {
        var billed = business.In(Situation.BilledByStripe).ToList();
        var renewed = billed.Where((m, i) => Seeding.BilledUntil(m, business.Now) != m.EndedAt && !IsCanceledAtStripe(i)).Count();
        var run = await stage.RunAsync("subscription-sync");
        Tell(run, "02:00",
            $"{run["seen"]} subscriptions are Stripe Billing's: {renewed} were renewed there, {Seeding.CanceledAtStripe} canceled there, and now here too. "
            + $"{run["canceled"]} of our own were to end with their period, which is over. "
            + "Of the payments one was refunded in full and one lost to a dispute: what they had bought has ended. One was refunded by half: it goes on.");
        checks.That(run["updated"] == renewed + Seeding.CanceledAtStripe, $"{run["updated"]} subscriptions followed Stripe, {renewed + Seeding.CanceledAtStripe} were meant to");
        checks.That(run["canceled"] == business.Members.Count(m => m.EndsWithPeriod), $"{run["canceled"]} subscriptions ended with their period");
        checks.That(
            run["refunded"] == 1 && run["partially_refunded"] == 1 && run["dispute_lost"] == 1,
            $"refunds and disputes: {run["refunded"]} in full, {run["partially_refunded"]} in part, {run["dispute_lost"]} lost");
        var ended = await Database.ScalarAsync<long>(
            "SELECT count(*) FROM subscriptions WHERE id = ANY ($1) AND status = 'canceled'", business.MoneyBack.Select(m => m.Id).ToArray());
        checks.That(ended == 2, $"{ended} of the 2 subscriptions whose money went back ended");

        static bool IsCanceledAtStripe(int i) => i >= Seeding.InvoicesPaid && i < Seeding.InvoicesPaid + Seeding.CanceledAtStripe;
    }

    private async Task ExpirePaymentsAsync()
    {
        var run = await stage.RunAsync("expire-payments");
        Tell(run, "03:15",
            $"{Many(run["expired"], "checkout")} left open for more than a week closed, at Stripe first, so that nobody can still pay on one. "
            + $"{Many(run["fulfilled"], "had", "had")} been paid in the meantime: booked, not closed.");
        checks.That(run["fulfilled"] == Business.Checkouts[Checkout.AbandonedButPaid], "the abandoned checkout that was paid after all was not booked");
    }

    private async Task AutopaymentKilledAsync()
    {
        var onTheWire = business.In(Situation.AnswerOnTheWire).ToList();
        await FaultAsync("hang_after", onTheWire, times: 1);
        var due = await DueAsync();
        var before = await SucceededAsync();
        using var process = stage.Start("autopayment");
        var held = await WatchAsync("autopayment", stage.Stripe.HeldAsync(onTheWire.Count, 30_000), async () => (await SucceededAsync() - before) / (double)due);
        process.Kill();
        await process.EndAsync();
        await stage.Stripe.ClearFaultsAsync();

        var booked = await SucceededAsync() - before;
        var open = await OpenAttemptsAsync();
        var ledger = await stage.Stripe.LedgerAsync();
        _lost = [.. open.Where(id => ledger.ForPayment(id).Count > 0)];
        Job("06:00", "autopayment",
            $"{Number(due)} subscriptions are due. After {Number(booked)} charges the process is killed (SIGKILL), just when Stripe has taken the money of "
            + $"{held.Count} more customers and the answers are on the wire. {Many(open.Count, "attempt")} in flight; for {_lost.Count} of them Stripe has the money and nobody here knows.",
            "killed", good: false);
        checks.That(_lost.Count >= held.Count, "the kill lost fewer answers than were held");
        _inFlight = open.Count;
    }

    private HashSet<string> _lost = [];
    private int _inFlight;

    private async Task AutopaymentAgainAsync()
    {
        await FaultAsync("drop_after", business.In(Situation.ConnectionCut), times: 1);
        await FaultAsync("status_after:500", business.In(Situation.ServerError), times: 1, shouldRetry: false);
        var due = await DueAsync() + _inFlight;
        var before = await SucceededAsync();
        var run = await WatchAsync("autopayment, started again", stage.RunAsync("autopayment"), async () => (await SucceededAsync() - before) / (double)due);
        await stage.Stripe.ClearFaultsAsync();

        var ledger = await stage.Stripe.LedgerAsync();
        var charges = _lost.Sum(id => ledger.ForPayment(id).Count);
        Job("06:01", "autopayment (restarted)",
            $"{_lost.Count} answers were lost on the wire; {_lost.Count} attempts stayed in flight; this run asked again under the same keys: "
            + $"{charges} charges, not {2 * _lost.Count}.",
            $"exit {run.ExitCode}, {run.DurationMs / 1000.0:0.0} s: {run["replayed"]} attempts sent again, {run["charged"]} charged in all", run.ExitCode == 0);
        List(
            (await CountAsync("failure_code IN ('insufficient_funds', 'processing_error')"), "cards without money or luck: past due, tried again tomorrow"),
            (await CountAsync("failure_code IN ('lost_card', 'expired_card')"), "cards lost or expired: never tried again, the customer is asked for another"),
            (await CountAsync("failure_code = 'authentication_required'"), "banks that want 3-D Secure: the customer gets a link, no blind retry"),
            (await CountAsync("failure_code = 'payment_method_detached'"), "cards that had been replaced: the new one was charged instead"),
            (business.In(Situation.NoCard).Count(), "customers without any card: asked for one, once"),
            (await PaidBehindOurBackAsync(), "who had paid by yesterday's link: booked, not charged a second time"),
            (business.In(Situation.ConnectionCut).Count(), "connections that broke after the charge: asked again under the same key, at once"),
            (run["failed"], "charges that Stripe made and then answered with 500: left in flight, and exit code 1, so that the run is not taken for done"));
        checks.That(run.ExitCode == 1, "a run with unanswered charges ended as if all were well");
        checks.That(charges == _lost.Count, $"{_lost.Count} lost answers became {charges} charges");
        checks.That(run["failed"] == business.In(Situation.ServerError).Count(), $"{run["failed"]} attempts failed, {business.In(Situation.ServerError).Count()} were meant to");
        checks.That(await PaidBehindOurBackAsync() == business.In(Situation.PaidBehindOurBack).Count(), "a renewal that succeeded behind our back was not found");
    }

    private async Task MatchPendingAsync()
    {
        var unanswered = await Database.ScalarAsync<long>(
            "SELECT count(*) FROM payments WHERE status = 'pending' AND provider_request IS NOT NULL AND provider_payment_id IS NULL");
        var slow = await Database.ScalarAsync<long>("SELECT count(*) FROM payments WHERE status = 'processing'");
        var run = await stage.RunAsync("match-pending-payments");
        Tell(run, "06:02",
            $"The {unanswered} answered with 500 would get the same 500 for ever under their key, so they are looked up in the customer's list at Stripe: found, booked, extended. "
            + $"{slow} bank debits have gone through. Of the checkouts in the application {Many(Business.Checkouts[Checkout.Paid], "was", "were")} paid (subscription made), "
            + $"{Many(run["declined"], "was", "were")} refused, {run["still_open"]} still wait for their customer.");
        checks.That(
            run["matched"] == unanswered + slow + Business.Checkouts[Checkout.Paid],
            $"match-pending-payments settled {run["matched"]}, not the {unanswered} unanswered, {slow} slow and {Business.Checkouts[Checkout.Paid]} paid ones");
    }

    private async Task MatchSuccessfulAsync()
    {
        var run = await stage.RunAsync("match-successful-payments");
        Tell(run, "06:03",
            $"Stripe's list of the last hour held {Many(run["matched"], "payment")} unknown here: {Business.Checkouts[Checkout.Unrecorded]} bought by new members, "
            + $"{Seeding.InvoicesPaid} renewed by Stripe Billing (recorded, not extended twice). {run["parked_payments"]} belongs to nobody we know: "
            + "parked for a person to look at, never dropped.");
        checks.That(run["matched"] == Business.Checkouts[Checkout.Unrecorded] + Seeding.InvoicesPaid, "unknown payments at Stripe were not all found");
        checks.That(run["parked_payments"] == 1, "the payment of a stranger was not parked");
    }

    private async Task AutopaymentOnceMoreAsync()
    {
        var run = await stage.RunAsync("autopayment");
        Tell(run, "06:05",
            $"Started again because it ended with 1: {run["charged"]} charged, nothing is left in flight. "
            + "Now that it has succeeded, subscriptions may expire; before, an outage of ours would have cut off paying customers.");
        checks.That(run["charged"] == 0, $"a repeated run charged {run["charged"]} customers");
    }

    private async Task ExpireSubscriptionsAsync()
    {
        var lapsed = business.In(Situation.Lapsed).Count(m => !m.EndsWithPeriod);
        var run = await stage.RunAsync("expire-subscriptions");
        Tell(run, "06:45",
            $"{Many(run["expired"], "subscription")} ended more than three days ago: {lapsed} were not to be renewed, "
            + $"{business.In(Situation.RetriesSpent).Count()} have used up their retries. {business.In(Situation.InGrace).Count(m => !m.EndsWithPeriod)} are within their three days and stay.");
        checks.That(
            run["expired"] == lapsed + business.In(Situation.RetriesSpent).Count(), $"{run["expired"]} subscriptions expired");
    }

    private void Tell(Run run, string time, string text)
    {
        Job(time, run.Job, text, string.Create(CultureInfo.InvariantCulture, $"exit {run.ExitCode}, {run.DurationMs / 1000.0:0.0} s"), run.ExitCode == 0);
        checks.That(run.ExitCode == 0, $"{run.Job} ended with exit code {run.ExitCode}: {run.Error}");
    }

    private async Task FaultAsync(string fault, IEnumerable<Member> members, int times, bool? shouldRetry = null)
    {
        foreach (var member in members)
        {
            var metadata = new Dictionary<string, string>(StringComparer.Ordinal) { ["subscription_id"] = member.Id.ToString(CultureInfo.InvariantCulture) };
            await stage.Stripe.FaultAsync(fault, new { method = "POST", path = "/v1/payment_intents", metadata, times }, shouldRetry);
        }
    }

    /// <summary>What the job itself plans, asked by a dry run.</summary>
    private async Task<long> DueAsync()
    {
        using var look = stage.Start("autopayment", "--dry-run");
        var result = await look.EndAsync();
        return result.Counter("charged");
    }

    private Task<long> SucceededAsync() => Database.ScalarAsync<long>("SELECT count(*) FROM payments WHERE status = 'succeeded'");

    private Task<long> PaidBehindOurBackAsync() =>
        Database.ScalarAsync<long>("SELECT count(*) FROM payments WHERE provider_payment_id LIKE 'pi_declined%' AND status = 'succeeded'");

    private Task<long> CountAsync(string condition) =>
        Database.ScalarAsync<long>($"SELECT count(*) FROM payments WHERE provider_request IS NOT NULL AND {condition}");

    private async Task<IReadOnlyList<string>> OpenAttemptsAsync() =>
        [.. (await Database.NumbersAsync("SELECT id::text, id FROM payments WHERE status = 'pending' AND provider_request IS NOT NULL AND provider_payment_id IS NULL")).Keys];
}
