using Jobs.Tests.Rig;
using Jobs.Tests.Runs;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Looking;

/// <summary>`jobctl history` and `jobctl show`: the runs, and one of them.</summary>
public sealed class HistoryTests(PostgresFixture fixture)
{
    [Fact]
    public async Task The_last_runs_come_newest_first_of_one_job_or_of_all_and_failed_ones_alone()
    {
        await using var world = await fixture.WorldAsync();
        await world.ForgetAsync("migrate");
        var ids = new List<string>();
        for (var n = 0; n < 30; n++)
        {
            var id = await world.RunRowAsync(
                n % 2 == 0 ? "autopayment" : "daily-stats", n % 5 == 0 ? "failed" : "succeeded", TimeSpan.FromMinutes(n), n % 5 == 0 ? LedgerScene.Hostile : null);
            ids.Add(id.ToString());
        }

        var all = await world.LookAsJsonAsync(0, "history");
        Assert.Equal(ids.Take(20), all.Strings("runs", "run_id"));
        Assert.True(all.GetProperty("more").GetBoolean());
        var one = await world.LookAsJsonAsync(0, "history", "daily-stats", "--limit", "100");
        Assert.Equal(ids.Where((_, n) => n % 2 == 1), one.Strings("runs", "run_id"));
        Assert.False(one.GetProperty("more").GetBoolean());
        Assert.Equal(ids.Where((_, n) => n % 5 == 0), (await world.LookAsJsonAsync(0, "history", "--failed")).Strings("runs", "run_id"));
        Assert.Equal(ids.Where((_, n) => n % 10 == 5).Take(2), (await world.LookAsJsonAsync(0, "history", "daily-stats", "--failed", "--limit", "2")).Strings("runs", "run_id"));
        var since = AsOf(DateTime.UtcNow.AddSeconds(-90));
        Assert.Equal(ids.Take(2), (await world.LookAsJsonAsync(0, "history", "--since", since)).Strings("runs", "run_id"));

        foreach (var columns in new[] { "132", "70" })
        {
            world.Environment["COLUMNS"] = columns;
            var text = (await world.LookAsync("history")).Stdout;
            LedgerScene.Harmless(text);
            Assert.Contains(ids[19][..18], text, StringComparison.Ordinal);
            Assert.Contains("there are older ones", text, StringComparison.Ordinal);
        }

        Assert.Equal("no run is on record\n", (await world.LookAsync("history", "cleanup")).Stdout);
    }

    [Fact]
    public async Task A_run_is_found_by_its_id_by_the_beginning_of_it_and_as_the_last_and_says_what_it_changed()
    {
        await using var world = await fixture.WorldAsync();
        var paid = await world.DueAsync("ada");
        var declined = await world.DueAsync("bob", "insufficient_funds");
        var run = (await world.AutopaymentAsync(Morning)).Done();
        var id = run.Json.Text("run_id")!;

        foreach (var name in new[] { [id], [id[..18]], [id.Replace("-", "", StringComparison.Ordinal)[..20]], new[] { "last", "autopayment" } })
        {
            var shown = await world.LookAsJsonAsync(0, ["show", .. name]);
            Assert.Equal((id, "autopayment", "succeeded", false), (shown.Text("run_id"), shown.Text("job"), shown.Text("status"), shown.GetProperty("more").GetBoolean()));
            Assert.Equal(1, shown.GetProperty("counters").GetProperty("charged").GetInt64());
            // Every row of the audit log, once, by what it is about.
            var changes = shown.GetProperty("subjects").EnumerateArray().SelectMany(s => s.GetProperty("changes").EnumerateArray()
                .Select(c => $"{s.Text("subject_type")} {s.GetProperty("subject_id")} {c.Text("action")}")).Order(StringComparer.Ordinal);
            Assert.Equal(
                (await world.QueryAsync("SELECT subject_type || ' ' || subject_id || ' ' || action AS row FROM audit_logs WHERE run_id = @id::uuid", new { id }))
                    .Select(r => (string)r.row).Order(StringComparer.Ordinal),
                changes);
            Assert.Contains($"subscription {paid} subscription.extended", changes);
            Assert.Contains($"subscription {declined} subscription.past_due", changes);
        }

        var text = (await world.LookAsync("show", id)).Stdout;
        Assert.All(
            ["1 charged", "1 declined", "declined: insufficient_funds, may be tried again", "10.00\u00A0EUR received", "past due: declined, insufficient_funds"],
            words => Assert.Contains(words, text, StringComparison.Ordinal));
        var few = await world.LookAsJsonAsync(0, "show", id, "--limit", "1");
        Assert.True(few.GetProperty("more").GetBoolean());
    }

    [Fact]
    public async Task What_failed_in_a_run_is_listed_with_its_reason_and_the_way_out()
    {
        await using var world = await fixture.WorldAsync();
        var run = await world.RunRowAsync("autopayment", "failed", TimeSpan.FromSeconds(1), LedgerScene.Hostile);
        await world.ExecuteAsync(
            """
            INSERT INTO job_item_failures (job, item, failures, last_error, last_failed_at, parked_at) VALUES
                ('autopayment', '17', 5, @Hostile, now() - interval '9 days', now() - interval '9 days'), ('autopayment', '18', 1, 'odd', now() - interval '500 ms', NULL),
                ('autopayment', '19', 1, 'long ago', now() - interval '9 days', NULL), ('daily-stats', '20', 1, 'of another', now(), NULL)
            """,
            new { LedgerScene.Hostile });
        var shown = await world.LookAsJsonAsync(0, "show", run.ToString());
        Assert.Equal(["18", "17"], shown.Strings("items", "item"));
        Assert.Equal([false, true], shown.GetProperty("items").EnumerateArray().Select(i => i.GetProperty("parked").GetBoolean()));
        var text = (await world.LookAsync("show", run.ToString())).Stdout;
        LedgerScene.Harmless(text);
        Assert.Contains("jobctl resolve item", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_names_no_run_or_several_is_one_sentence()
    {
        await using var world = await fixture.WorldAsync();
        await world.ExecuteAsync(
            "INSERT INTO job_runs (id, job) VALUES ('0193f4d0-a1b2-7c3d-8e4f-000000000001', 'cleanup'), ('0193f4d0-a1b2-7c3d-8e4f-000000000002', 'cleanup')");
        (string Sentence, string[] Args)[] mistakes =
        [
            ("say which run: its id or the beginning of it, as jobctl history lists it, or last and a job", []),
            ("say whose last run: jobctl show last JOB", ["last"]),
            ("autopayment has never run", ["last", "autopayment"]),
            ("no run's id begins with ffff; jobctl history lists them", ["ffff"]),
            ("'nonsense' is no id of a run; jobctl history lists them", ["nonsense"]),
            ("several runs' ids begin with 0193f4d0, such as 0193f4d0-a1b2-7c3d-8e4f-000000000001 and 0193f4d0-a1b2-7c3d-8e4f-000000000002; say more of it", ["0193f4d0"]),
        ];
        foreach (var (sentence, args) in mistakes)
        {
            Assert.Equal(sentence, Mistake.OneSentence("jobctl", await world.LookAsync(["show", .. args]), world.Environment));
        }
    }
}
