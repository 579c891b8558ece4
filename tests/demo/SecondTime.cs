namespace Jobs.Demo;

/// <summary>All jobs again; afterwards every business row must be, byte for byte, what it was.</summary>
internal sealed class SecondTime(Stage stage, Checks checks)
{
    private static readonly string[] Jobs =
    [
        "daily-stats", "subscription-sync", "expire-stale-orders", "expire-payments", "autopayment", "match-pending-payments", "match-successful-payments",
        "expire-subscriptions", "renewal-reminder", "process-payment-queue", "send-notifications", "cleanup-stale-payment-intents", "cleanup", "cleanup-logs",
    ];

    public async Task GoAsync()
    {
        var before = await stage.Database.FingerprintsAsync();
        var (charges, cards, mails) = ((await stage.Stripe.LedgerAsync()).Count, (await stage.SumUp.LedgerAsync()).Count, stage.Mails.Count);
        var milliseconds = 0L;
        foreach (var job in stage.CanBackUp ? Jobs.Append("backup-database") : Jobs)
        {
            var run = await stage.RunAsync(job, job == "send-notifications" ? stage.MidMorning : []);
            milliseconds += run.DurationMs;
            checks.That(run.ExitCode == 0, $"the second {job} ended with exit code {run.ExitCode}: {run.Error}");
        }

        var after = await stage.Database.FingerprintsAsync();
        var changed = before.Where(t => after[t.Key] != t.Value).Select(t => t.Key).ToList();
        var added = (await stage.Stripe.LedgerAsync()).Count - charges;
        checks.Show(
            changed.Count == 0, "same rows",
            changed.Count == 0
                ? $"{Jobs.Length} jobs in {milliseconds} ms; {before.Count} tables, every column of every row as before"
                : $"changed: {string.Join(", ", changed)}");
        var paid = (await stage.SumUp.LedgerAsync()).Count - cards;
        checks.Show(added == 0 && paid == 0, "same money", $"{added} new charges at Stripe, {paid} at SumUp");
        checks.Show(stage.Mails.Count == mails, "same mail", $"{stage.Mails.Count - mails} new mails at the mail server");
    }
}
