using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Dashboard;

/// <summary>The page as its bytes are, and as a browser shows it.</summary>
public sealed partial class PageTests(PostgresFixture fixture)
{
    // Frames of the given widths with the page in each; says of each how wide it became, what is to be read, the least contrast of a
    // text with what is behind it, and how many heads of columns and names of rows there are.
    private const string Harness =
        """
        <!doctype html><meta charset="utf-8"><body><pre id="result"></pre><script>
        const widths = [320, 360, 768, 1280], page = PAGE;
        for (const width of widths) {
          const frame = document.createElement('iframe'); frame.width = width; frame.height = 900; frame.srcdoc = page; document.body.append(frame);
        }
        const numbers = colour => colour.match(/[\d.]+/g).map(Number);
        const light = ([r, g, b]) => { const f = c => (c /= 255) <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; return .2126 * f(r) + .7152 * f(g) + .0722 * f(b) };
        function behind(element) {
          for (; element; element = element.parentElement) { const c = numbers(element.ownerDocument.defaultView.getComputedStyle(element).backgroundColor); if (c.length < 4 || c[3] === 1) return c }
          return [255, 255, 255];
        }
        function contrast(element) {
          const a = light(numbers(element.ownerDocument.defaultView.getComputedStyle(element).color)), b = light(behind(element));
          return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        }
        onload = () => {
          document.getElementById('result').textContent = JSON.stringify([...document.querySelectorAll('iframe')].map((frame, i) => {
            const doc = frame.contentDocument, root = doc.documentElement;
            const texts = [...doc.body.querySelectorAll('*')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()));
            const cut = [...doc.body.querySelectorAll('*')].filter(e => e.closest('thead') === null && e.getBoundingClientRect().right > widths[i] + .5);
            return { width: widths[i], scroll: root.scrollWidth, inner: frame.contentWindow.innerWidth, cut: cut.length, title: doc.title, text: doc.body.innerText,
              contrast: Math.min(...texts.map(contrast)), back: numbers(frame.contentWindow.getComputedStyle(doc.body).backgroundColor).slice(0, 3),
              columns: doc.querySelectorAll('th[scope=col]').length, rows: doc.querySelectorAll('th[scope=row]').length, images: doc.images.length };
          }));
        };
        </script></body>
        """;

    [Trait("Category", "Proof")]
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_browser_shows_it_readable_on_any_width_by_day_and_by_night(bool dark)
    {
        Assert.SkipUnless(Chromium.IsHere, Chromium.WhyNot);
        await using var world = await fixture.CounterAsync();
        await world.FallbackAsync("""{"active": true, "automatic": true, "reason": "SumUp failed 5 times", "actor": "process-payment-queue", "since": "2026-11-20T10:00:00Z"}""");
        var frames = await FramesAsync(await PageAsync(world), dark);

        Assert.All(frames, frame =>
        {
            Assert.True(frame.GetProperty("scroll").GetInt32() <= frame.GetProperty("inner").GetInt32(), Overflow(frame));
            Assert.True(frame.GetProperty("cut").GetInt32() == 0, Overflow(frame));
            Assert.True(frame.GetProperty("contrast").GetDouble() >= 4.5, frame.GetProperty("contrast").ToString());
            Assert.Equal("Counter", frame.GetProperty("title").GetString());
            Assert.Equal(0, frame.GetProperty("images").GetInt32());
            Assert.Equal((24, 13), (frame.GetProperty("columns").GetInt32(), frame.GetProperty("rows").GetInt32()));
            Assert.True(dark == frame.GetProperty("back")[0].GetInt32() < 128, frame.GetProperty("back").ToString());
            var text = frame.GetProperty("text").GetString()!;
            string[] seen =
            [
                "Fallback mode: cards wait", "SumUp failed 5 times", "▸ busy", "✗ offline", "READER_OFFLINE", DashboardScene.Cyrillic, DashboardScene.Long,
                DashboardScene.Markup, "1,234.50\u00A0EUR", "250,000\u00A0JPY", "✓ succeeded", "✗ failed", "card_declined", "2026-000031", "Europe/Paris", "till7, process 4711",
            ];
            Assert.All(seen, words => Assert.Contains(words, text, StringComparison.Ordinal));
        });
    }

    [Trait("Category", "Proof")]
    [Fact]
    public async Task A_browser_shows_an_empty_counter()
    {
        Assert.SkipUnless(Chromium.IsHere, Chromium.WhyNot);
        await using var world = await fixture.WorldAsync();
        Assert.All(await FramesAsync(await PageAsync(world), dark: false), frame =>
        {
            Assert.True(frame.GetProperty("scroll").GetInt32() <= frame.GetProperty("inner").GetInt32(), Overflow(frame));
            Assert.All(
                ["Nothing has been taken yet.", "No terminal is set up.", "Nobody is waiting.", "No payment yet."],
                words => Assert.Contains(words, frame.GetProperty("text").GetString(), StringComparison.Ordinal));
        });
    }

    [Fact]
    public async Task It_needs_nothing_else_and_names_are_only_text()
    {
        await using var world = await fixture.CounterAsync();
        world.Environment["BUSINESS_NAME"] = "Club & <Friends>";
        await world.FallbackAsync("""{"active": true, "reason": "\"><script>alert(1)</script>", "actor": "'><b>"}""");
        var html = await PageAsync(world, "--refresh", "5s");

        Assert.StartsWith("<!doctype html>\n<html lang=\"en\">", html, StringComparison.Ordinal);
        Assert.EndsWith("</html>\n", html, StringComparison.Ordinal);
        Assert.Contains("<title>Counter – Club &amp; &lt;Friends&gt;</title>", html, StringComparison.Ordinal);
        Assert.Contains("<meta http-equiv=\"refresh\" content=\"5\">", html, StringComparison.Ordinal);
        Assert.Contains("prefers-color-scheme: dark", html, StringComparison.Ordinal);
        Assert.Contains("@media print", html, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"<(script|img|link|iframe|object|b)\b|url\(|@import|https?:|<[^>]*\s(src|href|on\w+)=", html);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", html, StringComparison.Ordinal);
        Assert.DoesNotContain(html, c => char.IsControl(c) && c != '\n');
    }

    [Fact]
    public async Task Without_refresh_it_stays_and_says_when_it_was_made()
    {
        await using var world = await fixture.CounterAsync();
        var html = await PageAsync(world);
        Assert.DoesNotContain("http-equiv=\"refresh\"", html, StringComparison.Ordinal);
        var made = DateTime.Parse(Made().Match(html).Groups["at"].Value, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
        Assert.InRange(made, DateTime.UtcNow.AddMinutes(-2), DateTime.UtcNow.AddMinutes(2));
    }

    [Fact]
    public async Task A_page_that_cannot_be_written_is_one_sentence()
    {
        await using var world = await fixture.CounterAsync();
        var run = await world.DashboardAsync("--html", "/nowhere/counter.html");
        Assert.StartsWith("the page '/nowhere/counter.html' cannot be written: ", Runs.Mistake.OneSentence("jobctl", run, world.Environment), StringComparison.Ordinal);
    }

    private static async Task<string> PageAsync(JobWorld world, params string[] args)
    {
        var folder = Directory.CreateTempSubdirectory("dashboard");
        var file = Path.Combine(folder.FullName, "counter.html");
        var run = await world.DashboardAsync(["--html", file, .. args]);
        Assert.True(run is { ExitCode: 0, Stderr: "" } && run.Stdout == $"{file} written\n", run.ToString());
        var html = await File.ReadAllTextAsync(file);
        Assert.Equal([file], Directory.GetFiles(folder.FullName));
        folder.Delete(recursive: true);
        return html;
    }

    internal static async Task<JsonElement[]> FramesAsync(string page, bool dark)
    {
        var file = Path.Combine(Path.GetTempPath(), $"harness-{Guid.NewGuid():N}.html");
        await File.WriteAllTextAsync(file, Harness.Replace("PAGE", JsonSerializer.Serialize(page), StringComparison.Ordinal));
        try
        {
            return [.. JsonDocument.Parse(await Chromium.ResultAsync(file, dark)).RootElement.EnumerateArray()];
        }
        finally
        {
            File.Delete(file);
        }
    }

    internal static string Overflow(JsonElement frame) =>
        $"at {frame.GetProperty("width")} pixels it is {frame.GetProperty("scroll")} wide, and {frame.GetProperty("cut")} elements go beyond";

    [GeneratedRegex("<time datetime=\"(?<at>[^\"]+)\">", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Made();
}
