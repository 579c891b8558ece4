using System.Globalization;

namespace Jobs.Demo;

/// <summary>What the onlooker reads: colour and a moving bar on a terminal, plain lines otherwise.</summary>
internal static class Story
{
    private const int Width = 112;
    private const int Indent = 40;
    private static readonly bool Terminal = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "";

    public static void Title(string text)
    {
        Console.WriteLine();
        Console.WriteLine(Paint(text, "1;36"));
        Console.WriteLine(Paint(new string('-', Width), "2"));
    }

    /// <summary>A line under a title that belongs to no job.</summary>
    public static void Tell(string label, string text) => Write(Paint($"  {label,-23}", "1") + new string(' ', Indent - 25), text);

    /// <summary>One job: when, which, how it ended, and what that means.</summary>
    public static void Job(string time, string job, string text, string how, bool good)
    {
        var head = $"  {Paint(time, "2")}  {Paint($"{job,-31}", "1")}";
        Write(head, text);
        Console.WriteLine(new string(' ', Indent) + Paint(how, good ? "2;32" : "33"));
    }

    /// <summary>How many of what, one a line, under the job told last.</summary>
    public static void List(params ReadOnlySpan<(long Count, string What)> items)
    {
        foreach (var (count, what) in items)
            Write(new string(' ', Indent - 2) + Paint($"{Number(count),5}", "1") + "  ", what, Indent + 5);
    }

    public static void Check(bool holds, string label, string text) =>
        Write($"  {Paint(holds ? "ok  " : "FAIL", holds ? "1;32" : "1;31")}  {label,-30}  ", text);

    public static void Plain(string text) => Console.WriteLine(text);

    public static string Paint(string text, string code) => Terminal ? $"\u001b[{code}m{text}\u001b[0m" : text;

    public static string Number(long n) => n.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>"1 card", "3 cards".</summary>
    public static string Many(long n, string thing, string? things = null) => $"{Number(n)} {(n == 1 ? thing : things ?? thing + "s")}";

    private static void Write(string head, string text, int indent = Indent)
    {
        var lines = Wrap(text, Width - indent);
        for (var i = 0; i < lines.Count; i++)
            Console.WriteLine((i == 0 ? head : new string(' ', indent)) + lines[i]);
    }

    private static List<string> Wrap(string text, int width)
    {
        var lines = new List<string> { "" };
        foreach (var word in text.Split(' '))
        {
            if (lines[^1].Length > 0 && lines[^1].Length + 1 + word.Length > width)
                lines.Add("");
            lines[^1] += (lines[^1].Length > 0 ? " " : "") + word;
        }

        return lines;
    }

    /// <summary>Shows how far something is until it is awaited to its end; on a terminal only.</summary>
    public static async Task<T> WatchAsync<T>(string what, Task<T> work, Func<Task<double>> share)
    {
        while (Terminal && !work.IsCompleted)
        {
            var filled = (int)Math.Clamp(await share() * 40, 0, 40);
            Console.Write($"\r\u001b[K  {what,-32}  [{new string('#', filled)}{new string('.', 40 - filled)}]");
            await Task.WhenAny(work, Task.Delay(100));
        }

        if (Terminal)
            Console.Write("\r\u001b[K");
        return await work;
    }
}
