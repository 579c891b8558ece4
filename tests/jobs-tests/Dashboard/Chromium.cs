using System.Diagnostics;
using System.Net;
using System.Text.RegularExpressions;

namespace Jobs.Tests.Dashboard;

/// <summary>A real browser without a window, with an empty profile of its own and no network to speak of.</summary>
internal static partial class Chromium
{
    private static readonly string? Path = new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    public static bool IsHere => Path is not null;

    public const string WhyNot = "no Chromium is on this machine (Debian: apt-get install chromium)";

    /// <summary>Loads a file, and gives back the text of its element with the id `result` once everything in it is loaded.</summary>
    public static async Task<string> ResultAsync(string file, bool dark)
    {
        var profile = Directory.CreateTempSubdirectory("chromium");
        try
        {
            var start = new ProcessStartInfo(Path!) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
            string[] arguments =
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", $"--user-data-dir={profile.FullName}", "--window-size=1600,1200",
                $"--blink-settings=preferredColorScheme={(dark ? 0 : 1)}", "--timeout=20000", "--dump-dom", new Uri(file).AbsoluteUri,
            ];
            foreach (var argument in arguments)
            {
                start.ArgumentList.Add(argument);
            }

            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var dom = process.StandardOutput.ReadToEndAsync();
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
            try
            {
                await process.WaitForExitAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }

            return Result().Match(await dom) is { Success: true } found
                ? WebUtility.HtmlDecode(found.Groups["text"].Value)
                : throw new InvalidOperationException($"the browser gave no result:\n{await dom}\n{await errors}");
        }
        finally
        {
            profile.Delete(recursive: true);
        }
    }

    [GeneratedRegex("<pre id=\"result\">(?<text>[^<]+)</pre>", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Result();
}
