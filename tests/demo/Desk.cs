using System.Text.Json;
using static Jobs.Demo.Story;

namespace Jobs.Demo;

/// <summary>The association's part of the day: figures, reminders, the desk, and all mail of the morning.</summary>
internal sealed class Desk(Stage stage, Checks checks)
{
    public async Task FiguresAsync()
    {
        var run = await stage.RunAsync("daily-stats");
        var visits = await stage.Database.ScalarAsync<long>("SELECT (data ->> 'total_visits')::bigint FROM daily_stats ORDER BY stat_date DESC LIMIT 1");
        Ended(run, "01:00",
            $"{run["days_written"]} days of figures written, yesterday's and all that were missing. Yesterday only {Many(visits, "visit")}: "
            + $"{Many(run["anomalies"], "anomaly", "anomalies")} reported.");
        checks.That(visits == Association.VisitsYesterday, $"{visits} visits counted yesterday, {Association.VisitsYesterday} were made");
        checks.That(run["anomalies"] > 0, "a day almost without visits was not noticed");
    }

    public async Task RemindersAsync()
    {
        var run = await stage.RunAsync("renewal-reminder");
        var members = await stage.Database.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE kind = 'renewal_reminder' AND subject_type = 'membership'");
        Ended(run, "08:00",
            $"{members} memberships end in 30, 15, 5 or 0 days - 5 of them should have been told yesterday, when nothing ran - and {Number(run["reminded"] - members)} "
            + "subscriptions will be charged soon: each gets its mail, with the day, the amount and how to cancel.");
        checks.That(members == Association.Reminders, $"{members} members reminded, {Association.Reminders} were due");
    }

    public async Task CashAsync()
    {
        string[] payment =
        [
            "--user", Id(Association.Newcomer), "--amount", "9.00", "--currency", "eur", "--method", "cash", "--purpose", "membership",
            "--membership-type", "circus", "--recorded-by", Id(Association.Staff), "--reference", "desk-0001",
        ];
        var (first, receipt) = await AtTheDeskAsync("record-payment", payment);
        var (second, again) = await AtTheDeskAsync("record-payment", payment);
        Ended(first, "10:15",
            $"A basic member pays 9.00 EUR in cash and is a circus member now: receipt {Of(receipt, "receipt_number")}. The answer got lost, so the desk types it again "
            + $"under the same reference: receipt {Of(again, "receipt_number")}, nothing new.");
        checks.That(Of(receipt, "receipt_number") == Of(again, "receipt_number") && second["repeated"] == 1, "the same cash payment was recorded twice");

        var (grant, membership) = await AtTheDeskAsync(
            "grant-membership", ["--user", Id(Association.Honoured), "--type", "basic", "--recorded-by", Id(Association.Staff), "--reference", "present-0001"]);
        Ended(grant, "10:20", $"A membership as a present, until {Of(membership, "end_date")}.");
    }

    public async Task MailAsync()
    {
        var waiting = await stage.Database.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE status = 'pending'");
        using (var process = stage.Start("send-notifications", stage.MidMorning))
        {
            await stage.Mails.KillAfterAsync(250, process);
        }

        var killedAt = stage.Mails.Count;
        Job("10:30", "send-notifications",
            $"{Number(waiting)} mails are waiting. After {Number(killedAt)} of them the process is killed, just when the mail server has taken one and its answer is on the wire.",
            "killed", good: false);

        using var next = stage.Start("send-notifications", stage.MidMorning);
        var run = stage.Keep("send-notifications", await next.EndAsync());
        var unknown = await stage.Database.ScalarAsync<long>("SELECT count(*) FROM notifications WHERE status = 'unknown'");
        Ended(run, "10:31",
            $"{Number(run["sent"])} more delivered. {Many(unknown, "mail")} may or may not have arrived: never sent again on a guess, staff are told. "
            + $"{run["postponed"]} wait, because nobody gets two reminders within four hours.");
        using var last = stage.Start("send-notifications", stage.MidMorning);
        var toStaff = stage.Keep("send-notifications", await last.EndAsync());
        Ended(toStaff, "10:32", $"The mail that tells staff of {(unknown == 1 ? "it" : "them")}: {toStaff["sent"]} delivered.");
        checks.That(toStaff["sent"] == 1, $"{toStaff["sent"]} mails told staff of those that are unknown");
        checks.That(unknown >= 1, "the mail whose answer was lost is not known to be unknown");
    }

    private async Task<(Run Run, JsonElement Item)> AtTheDeskAsync(string job, string[] args)
    {
        using var process = stage.Start(job, args);
        var result = await process.EndAsync();
        return (stage.Keep(job, result), result.Json.GetProperty("items")[0]);
    }

    private void Ended(Run run, string time, string text)
    {
        Job(time, run.Job, text, FormattableString.Invariant($"exit {run.ExitCode}, {run.DurationMs / 1000.0:0.0} s"), run.ExitCode == 0);
        checks.That(run.ExitCode == 0, $"{run.Job} ended with exit code {run.ExitCode}: {run.Error}");
    }

    private static string Of(JsonElement item, string name) => item.GetProperty(name).ToString();

    private static string Id(long id) => id.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
