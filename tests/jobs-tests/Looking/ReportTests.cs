using Jobs.Tests.Dashboard;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Looking;

/// <summary>`jobctl report`: the status page as its bytes are, and as a browser shows it.</summary>
public sealed class ReportTests(PostgresFixture fixture)
{
    [Trait("Category", "Proof")]
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_browser_shows_it_readable_on_any_width_by_day_and_by_night(bool dark)
    {
        Assert.SkipUnless(Chromium.IsHere, Chromium.WhyNot);
        await using var world = await fixture.WorldAsync();
        await MonthAsync(world);
        Assert.All(await PageTests.FramesAsync(await PageAsync(world), dark), frame =>
        {
            Assert.True(frame.GetProperty("scroll").GetInt32() <= frame.GetProperty("inner").GetInt32(), PageTests.Overflow(frame));
            Assert.True(frame.GetProperty("cut").GetInt32() == 0, PageTests.Overflow(frame));
            Assert.True(frame.GetProperty("contrast").GetDouble() >= 4.5, frame.GetProperty("contrast").ToString());
            Assert.Equal("Jobs", frame.GetProperty("title").GetString());
            Assert.Equal(0, frame.GetProperty("images").GetInt32());
            Assert.True(dark == frame.GetProperty("back")[0].GetInt32() < 128, frame.GetProperty("back").ToString());
            var text = frame.GetProperty("text").GetString()!;
            string[] seen =
            [
                "One thing is wrong", "autopayment failed 2 times in a row", "onerror=alert(1)", "✗ failing", "✓ ok", "‖ paused", "One thing to know", "daily-stats is paused",
                "Runs a day, 30 days", "Failed or interrupted runs a day", "Revenue a day, EUR", "Revenue a day, JPY", "3 waiting", "Europe/Paris", "7 expired",
            ];
            Assert.All(seen, words => Assert.Contains(words, text, StringComparison.Ordinal));
        });
    }

    [Fact]
    public async Task It_needs_nothing_else_and_says_in_words_what_it_draws()
    {
        await using var world = await fixture.WorldAsync();
        await MonthAsync(world);
        world.Environment["BUSINESS_NAME"] = "Club & <Friends>";
        var html = await PageAsync(world);

        Assert.StartsWith("<!doctype html>\n<html lang=\"en\">", html, StringComparison.Ordinal);
        Assert.EndsWith("</html>\n", html, StringComparison.Ordinal);
        Assert.Contains("<title>Jobs – Club &amp; &lt;Friends&gt;</title>", html, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"<(script|img|link|iframe|object|b)\b|url\(|@import|https?:|<[^>]*\s(src|href|on\w+)=", html);
        Assert.DoesNotContain(html, c => char.IsControl(c) && c != '\n');
        Assert.Equal(System.Text.RegularExpressions.Regex.Count(html, "<svg"), System.Text.RegularExpressions.Regex.Count(html, "<svg[^>]*(aria-label=\"[^\"]+\"|aria-hidden)"));
        Assert.Contains("aria-label=\"autopayment: 4 runs, 2 failed, the longest took 2.0 s\"", html, StringComparison.Ordinal);
        Assert.Contains("Revenue a day, JPY: -1,500\u00A0JPY in all", System.Net.WebUtility.HtmlDecode(html), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_database_makes_a_page_too_and_what_cannot_be_written_is_one_sentence()
    {
        await using var world = await fixture.WorldAsync();
        await world.MigratedNowAsync();
        var html = await PageAsync(world);
        Assert.All(["All is well", "daily-stats has written no figures", "Nothing is due."], words => Assert.Contains(words, html, StringComparison.Ordinal));
        var run = await world.LookAsync("report", "--html", "/nowhere/jobs.html");
        Assert.StartsWith("the page '/nowhere/jobs.html' cannot be written: ", Runs.Mistake.OneSentence("jobctl", run, world.Environment), StringComparison.Ordinal);
    }

    private static async Task MonthAsync(JobWorld world)
    {
        await world.AllWellAsync();
        await world.RunRowAsync("autopayment", "failed", TimeSpan.FromSeconds(9), "no");
        await world.RunRowAsync("autopayment", "failed", TimeSpan.FromSeconds(5), LedgerScene.Hostile);
        await world.ExecuteAsync(
            """
            INSERT INTO job_pauses (job, reason, actor) VALUES ('daily-stats', @Hostile, 'Zoé');
            INSERT INTO daily_stats (stat_date, data)
            SELECT current_date - n, jsonb_build_object('revenue', jsonb_build_object('eur', n * 1000, 'jpy', CASE n WHEN 3 THEN -2000 ELSE 50 END)) FROM generate_series(1, 11) AS n;
            INSERT INTO daily_stats (stat_date, data) VALUES (current_date - 12, '{"revenue": [1]}'), (current_date - 13, '{"revenue": {"<b>": 1, "eur": "x"}}');
            INSERT INTO notifications (kind, status) SELECT 'payment_receipt', 'pending' FROM generate_series(1, 3)
            """,
            new { LedgerScene.Hostile });
    }

    private static async Task<string> PageAsync(JobWorld world)
    {
        var folder = Directory.CreateTempSubdirectory("report");
        var file = Path.Combine(folder.FullName, "jobs.html");
        var run = await world.LookAsync("report", "--html", file);
        Assert.True(run is { ExitCode: 0, Stderr: "" } && run.Stdout == $"{file} written\n", run.ToString());
        var html = await File.ReadAllTextAsync(file);
        Assert.Equal([file], Directory.GetFiles(folder.FullName));
        folder.Delete(recursive: true);
        return html;
    }
}
