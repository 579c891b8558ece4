using System.Globalization;
using Jobs.Billing;
using Jobs.Runs;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Jobs.Counter;

/// <summary>The counter as text: once, or live on a terminal.</summary>
internal sealed class Screen
{
    // Spectre draws a table of n rows in n + 5 lines, its title included.
    private const int TableFrame = 5;

    private readonly BusinessZone _zone;
    private readonly IAnsiConsole _console;

    public Screen(ToolRun run, BusinessZone zone) => (_zone, _console) = (zone, Paper.Open(run));

    /// <summary>Whether stdout is a terminal on which a picture can be redrawn.</summary>
    public bool IsLive => _console.Profile.Out.IsTerminal && _console.Profile.Capabilities.Ansi;

    public void Print(CounterView view) => _console.Write(Draw(new Sight(view), int.MaxValue));

    /// <summary>On the terminal's second screen: what stood on it before is back at the end.</summary>
    public async Task FollowAsync(IAsyncEnumerable<Sight> sights)
    {
        _console.Write(new ControlCode("\e[?1049h\e[H\e[2J"));
        try
        {
            await _console.Live(new Text("")).Overflow(VerticalOverflow.Crop).Cropping(VerticalOverflowCropping.Bottom).StartAsync(async live =>
            {
                var size = (Console.WindowWidth, Console.WindowHeight);
                await foreach (var sight in sights)
                {
                    if (size != (Console.WindowWidth, Console.WindowHeight))
                    {
                        size = (Console.WindowWidth, Console.WindowHeight);
                        (_console.Profile.Width, _console.Profile.Height) = size;
                        _console.Write(new ControlCode("\e[H\e[2J"));
                    }

                    live.UpdateTarget(Draw(sight, size.WindowHeight));
                }
            });
        }
        finally
        {
            _console.Write(new ControlCode("\e[?1049l\e[?25h"));
        }
    }

    private Rows Draw(Sight sight, int height)
    {
        var view = sight.View;
        var now = sight.At;
        var parts = new List<IRenderable> { new Text($"Counter  {Words.Moment(now, _zone)} ({Words.Zone(now, _zone)})", new Style(decoration: Decoration.Bold)) };
        if (sight.LostSince is { } since)
        {
            parts.Add(new Text($"! NO CONNECTION since {Words.At(since, now, _zone)}: {Words.Clean(sight.Error)}", new Style(Color.White, Color.Red)));
        }

        if (view.Fallback is { } fallback)
        {
            parts.Add(new Text($"! FALLBACK MODE: {Words.Clean(fallback.Reason)}", new Style(Color.Black, Color.Yellow)));
            parts.Add(new Text($"  Cards wait; cash, checks and transfers go on. {Words.By(fallback, now, _zone)}."));
        }

        parts.Add(Terminals(view, now));
        parts.Add(Queue(view, now, Most(height, 4)));
        if (view.Locks.Count > 0)
        {
            parts.Add(Locks(view, now, Most(height, 8)));
        }

        var above = parts.Count + view.Terminals.Count + Math.Min(view.Queue.Count, Most(height, 4)) + Math.Min(view.Locks.Count, Most(height, 8)) + 4 * TableFrame + view.Totals.Count;
        parts.Add(Totals(view));
        parts.Add(Payments(view, now, height == int.MaxValue ? int.MaxValue : Math.Max(3, height - above)));
        return new Rows(parts);
    }

    private static int Most(int height, int share) => height == int.MaxValue ? int.MaxValue : Math.Max(3, height / share);

    private Table Terminals(CounterView view, DateTime now)
    {
        var table = New("Terminals", "Name", "Status", "Since", "Payment", "Last seen", "Last error");
        foreach (var t in view.Terminals)
        {
            var error = Words.Clean(t.LastError) + (t.RetryAt is { } retry ? $" (again at {Words.At(retry, now, _zone)})" : "");
            table.AddRow(
                Plain(Words.Clean(t.Name)), Status(t.Status), Plain(Words.At(t.Since, now, _zone)), Plain(Words.OnTerminal(t)),
                Plain(t.LastSeenAt is { } seen ? $"{Words.For(seen, now)} ago" : "never"), Plain(error.Trim()));
        }

        return OrNothing(table, "no terminal is set up");
    }

    private static Table Queue(CounterView view, DateTime now, int most)
    {
        var table = New("Queue", ">Place", "Payer", ">Amount", "Purpose", "Status", "Waiting", "Reader", "Reason");
        foreach (var q in view.Queue.Take(most))
        {
            table.AddRow(
                Plain(Number(q.Place)), Plain(Words.Clean(q.Payer)), Plain(Words.Money(q.AmountMinor, q.Currency)), Plain(q.Purpose), Status(q.Status),
                Plain(Words.For(q.CreatedAt, now)), Plain(Words.Clean(q.Terminal)), Plain(Words.Clean(q.Reason)));
        }

        More(table, view.QueueLength - Math.Min(most, view.Queue.Count));
        return OrNothing(table, "nobody is waiting");
    }

    private Table Payments(CounterView view, DateTime now, int most)
    {
        var table = New("Payments at the counter today", "Time", "Payer", ">Amount", "Method", "Purpose", "Status", "Receipt");
        foreach (var p in view.Payments.Take(most))
        {
            table.AddRow(
                Plain(Words.At(p.At, now, _zone)), Plain(Words.Clean(p.Payer)), Plain(Words.Paid(p)), Plain(Words.Method(p.Method)), Plain(p.Purpose),
                Status(p.Status), Plain(p.ReceiptNumber ?? Words.Clean(p.FailureCode)));
        }

        More(table, view.PaymentCount - Math.Min(most, view.Payments.Count));
        return OrNothing(table, "none yet");
    }

    private static Table Totals(CounterView view)
    {
        var table = New("Taken today", "Method", ">Payments", ">Amount");
        foreach (var t in view.Totals)
        {
            table.AddRow(Plain(Words.Method(t.Method)), Plain(Number(t.Count)), Plain(Words.Money(t.AmountMinor, t.Currency)));
        }

        return OrNothing(table, "nothing yet");
    }

    private static Table Locks(CounterView view, DateTime now, int most)
    {
        var table = New("Locked payers", "Payer", "Held by", ">Seconds left");
        foreach (var l in view.Locks.Take(most))
        {
            table.AddRow(Plain(Words.Clean(l.Payer ?? l.UserId)), Plain(Words.Clean(Words.Holder(l.Holder))), Plain(Number(Words.SecondsLeft(l, now))));
        }

        return table;
    }

    /// <param name="title">Above it.</param>
    /// <param name="columns">A number's begins with &gt;.</param>
    private static Table New(string title, params string[] columns)
    {
        var table = new Table { Border = TableBorder.Rounded, Title = new TableTitle(title, new Style(decoration: Decoration.Bold)) };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column.TrimStart('>'), new Style(decoration: Decoration.Dim)))
            {
                Alignment = column.StartsWith('>') ? Justify.Right : Justify.Left,
            });
        }

        return table;
    }

    private static Table OrNothing(Table table, string nothing)
    {
        if (table.Rows.Count == 0)
        {
            table.AddRow(new Text(nothing, new Style(decoration: Decoration.Dim)));
        }

        return table;
    }

    private static void More(Table table, int more)
    {
        if (more > 0)
        {
            table.Caption = new TableTitle(string.Create(CultureInfo.InvariantCulture, $"and {more} more"));
        }
    }

    private static Text Plain(string text) => new(text);

    private static Text Status(string status) => new(Words.Status(status), Words.ToneOf(status) switch
    {
        Tone.Good => new Style(Color.Green),
        Tone.Active => new Style(Color.Aqua),
        Tone.Warning => new Style(Color.Yellow),
        Tone.Bad => new Style(Color.Red),
        _ => Style.Plain,
    });

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
