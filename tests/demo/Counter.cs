using System.Globalization;
using System.Text.Json;
using Jobs.Tests.Rig;
using static Jobs.Demo.Story;

namespace Jobs.Demo;

/// <summary>Two card readers at a counter: a lost answer, a kill while customers pay, and SumUp failing for a while.</summary>
internal sealed class Counter(Stage stage, Checks checks)
{
    /// <summary>Their serials.</summary>
    public static readonly string[] Readers = ["SOLO-1", "SOLO-2"];

    /// <summary>Written while both readers are at work.</summary>
    public static string Page => Stage.RepositoryFile("artifacts/demo/dashboard.html");

    private const string Drain = "process-payment-queue";

    // Who comes to the counter, and when.
    private static readonly long[] First = [2101, 2102, 2103];
    private static readonly long[] Second = [2104, 2105, 2106];
    private const long Impatient = 2107;
    private const long Patient = 2108;

    private int _before;

    public async Task GoAsync()
    {
        foreach (var reader in stage.SumUp.Readers)
            await stage.Database.ExecuteAsync("INSERT INTO payment_terminals (name, provider_reader_id) VALUES ($1, $2)", reader.Serial, reader.Id);
        await QueueAsync();
        await AnswerLostAsync();
        await KilledAsync();
        await NextRunAsync();
        await OutageAsync();
        await RecoveryAsync();
    }

    private async Task QueueAsync()
    {
        var queued = await ByCardAsync(First);
        var places = queued.Select(q => Of(q.Item, "position")).Order(StringComparer.Ordinal);
        Ended(
            queued[^1].Run, "10:21",
            $"{First.Length} customers want to pay by card, and {Readers.Length} readers stand at the counter: they have the places {string.Join(", ", places)} in the queue.");
    }

    private async Task AnswerLostAsync()
    {
        await stage.SumUp.ScriptAsync(Readers[1], new { outcome = "decline" });
        await stage.SumUp.FaultAsync("drop_after", "/checkout$", "POST", nth: First.Length);
        var run = await stage.RunAsync(Drain);
        var sent = (await stage.SumUp.RequestsAsync()).Where(r => r.Method == "POST" && r.Path.EndsWith("/checkout", StringComparison.Ordinal)).ToList();
        var lost = sent.Count(r => r.Fault is not null);
        var ledger = await stage.SumUp.LedgerAsync();
        Ended(run, "10:22",
            $"One pays. The card of another is declined: nothing is booked, and the reader takes the next. SumUp accepts that one too, and its answer is lost on the wire: "
            + $"not sent again, but looked up under our reference. {sent.Count} payments sent, {lost} answer lost, {ledger.Count} cards charged, {run["approved"]} booked.");
        checks.That(run["approved"] == 2 && run["declined"] == 1, $"{run["approved"]} payments at the counter were approved and {run["declined"]} declined");
        checks.That(lost == 1 && sent.Count == First.Length && ledger.Count == 2, $"{sent.Count} payments sent, {lost} answers lost: {ledger.Count} cards charged");
    }

    private async Task KilledAsync()
    {
        await ByCardAsync(Second);
        _before = (await stage.SumUp.LedgerAsync()).Count;
        await stage.SumUp.FaultAsync("hang_before", "/transactions$", "GET");
        using var process = stage.Start(Drain);
        await stage.SumUp.HeldAsync(Readers.Length);
        Directory.CreateDirectory(Path.GetDirectoryName(Page)!);
        var look = await stage.LookAsync("dashboard", "--html", Page);
        checks.That(look.ExitCode == 0, $"jobctl dashboard: {look}");
        await PaidAsync(_before + Readers.Length);
        process.Kill();
        await process.EndAsync();
        await stage.SumUp.ClearFaultsAsync();

        var open = await stage.Database.ScalarAsync<long>("SELECT count(*) FROM payment_queue WHERE status = 'processing'");
        Job("10:23", Drain,
            $"{Second.Length} more. The process is killed (SIGKILL) while {Readers.Length} of them pay: SumUp has the money, and nobody here knows. "
            + $"{open} readers and their customers stay held, so that no other run asks anybody a second time.",
            "killed", good: false);
        checks.That(open == Readers.Length, $"{open} payments were left at the readers by the kill");
    }

    private async Task PaidAsync(int cards)
    {
        for (var end = DateTime.UtcNow.AddSeconds(20); (await stage.SumUp.LedgerAsync()).Count < cards;)
        {
            if (DateTime.UtcNow > end)
                throw new TimeoutException("the customers at the counter did not pay");
            await Task.Delay(20);
        }
    }

    private async Task NextRunAsync()
    {
        var run = await stage.RunAsync(Drain);
        var charged = (await stage.SumUp.LedgerAsync()).Count - _before;
        Ended(run, "10:24",
            $"The next run asks SumUp before anybody else is sent to a reader: both have paid, booked with their receipts; then the one who waited. "
            + $"{Second.Length} customers, {charged} charges.");
        checks.That(run["approved"] == Second.Length && run["sent"] == 1, $"the run after the kill booked {run["approved"]} payments and sent {run["sent"]}");
        checks.That(charged == Second.Length, $"{Second.Length} customers around the kill, {charged} charges");
    }

    private async Task OutageAsync()
    {
        var (_, waiting) = await MembershipAsync("card_terminal");
        await ByCardAsync(Patient);
        await stage.SumUp.FaultAsync("status_before:429", "/checkout$", "POST");
        await stage.SumUp.FaultAsync("status_before:429", "/readers$", "GET");
        // The first two try one payment each: they do not stay until SumUp is back.
        var runs = new[] { await stage.RunAsync(Drain, "--limit", "1"), await stage.RunAsync(Drain, "--limit", "1"), await stage.RunAsync(Drain) };
        Ended(runs[^1], "10:27",
            "SumUp sends every payment away (429), in this run as in the two before. Three failures in a row: the fallback mode is on by itself, cards keep their places and wait, staff are told.");
        checks.That(runs.All(r => r.ExitCode == 0), "a run during SumUp's outage failed");
        checks.That(await InFallbackAsync(), "three failures in a row did not activate the fallback mode");

        var (cash, paid) = await MembershipAsync("cash");
        Ended(cash, "10:28",
            $"Cash goes on. The first in the queue pays the 1.00 EUR of a membership that way, receipt {Of(paid, "receipt_number")}; in the same transaction the card payment for it leaves the queue.");
        checks.That(Of(paid, "canceled_payment_id") == Of(waiting, "payment_id"), "the card payment stayed in the queue, although cash was taken");
    }

    private async Task RecoveryAsync()
    {
        await stage.SumUp.ClearFaultsAsync();
        var run = await stage.RunAsync(Drain);
        Ended(run, "10:29",
            $"SumUp answers again, twice in a row: the fallback mode ends by itself, staff are told, and the one who had kept the place pays.");
        checks.That(run["approved"] == 1, $"{run["approved"]} payments were approved after the outage");
        checks.That(!await InFallbackAsync(), "the fallback mode did not end with the outage");
        var told = await stage.Database.NumbersAsync("SELECT kind, count(*) FROM notifications WHERE kind LIKE 'staff_fallback%' GROUP BY 1");
        checks.That(told.Count == 2 && told.Values.All(n => n == 1), "staff were not told once of the fallback mode and once of its end");
    }

    private Task<bool> InFallbackAsync() => stage.Database.ScalarAsync<bool>(
        "SELECT (value ->> 'active')::boolean AND (value ->> 'automatic')::boolean FROM settings WHERE key = 'payment_fallback_mode'");

    /// <summary>All at once, at as many tills.</summary>
    private async Task<IReadOnlyList<(Run Run, JsonElement Item)>> ByCardAsync(params long[] payers)
    {
        var tills = payers.Select(payer => AtTheCounterAsync(
            [
                "--user", Id(payer), "--amount", "12.50", "--currency", "eur", "--method", "card_terminal", "--purpose", "other",
                "--recorded-by", Id(Association.Staff), "--reference", $"counter-{Id(payer)}",
            ])).ToList();
        var queued = new List<(Run, JsonElement)>();
        foreach (var till in tills)
        {
            var result = await till;
            queued.Add((stage.Keep("record-payment", result), result.Json.GetProperty("items")[0]));
        }

        return queued;
    }

    private async Task<JobResult> AtTheCounterAsync(string[] args)
    {
        using var process = stage.Start("record-payment", args);
        return await process.EndAsync();
    }

    private async Task<(Run Run, JsonElement Item)> MembershipAsync(string method)
    {
        var result = await AtTheCounterAsync(
            [
                "--user", Id(Impatient), "--amount", "1.00", "--currency", "eur", "--method", method, "--purpose", "membership",
                "--membership-type", "basic", "--recorded-by", Id(Association.Staff), "--reference", $"counter-{Id(Impatient)}-{method}",
            ]);
        return (stage.Keep("record-payment", result), result.Json.GetProperty("items")[0]);
    }

    private void Ended(Run run, string time, string text)
    {
        Job(time, run.Job, text, FormattableString.Invariant($"exit {run.ExitCode}, {run.DurationMs / 1000.0:0.0} s"), run.ExitCode == 0);
        checks.That(run.ExitCode == 0, $"{run.Job} ended with exit code {run.ExitCode}: {run.Error}");
    }

    private static string Of(JsonElement item, string name) => item.GetProperty(name).ToString();

    private static string Id(long id) => id.ToString(CultureInfo.InvariantCulture);
}
