using System.Diagnostics;
using System.Globalization;

namespace Jobs.Runs;

/// <summary>One line on stderr that shows how far a long work is; silent when stderr is no terminal.</summary>
public sealed class Progress(ProgramContext context)
{
    private readonly Lock _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _shownAt = -1000;
    private bool _shown;

    public void Show(string what, long done, long? total)
    {
        if (!context.ErrorIsTerminal)
        {
            return;
        }

        lock (_lock)
        {
            if (_clock.ElapsedMilliseconds - _shownAt < 200)
            {
                return;
            }

            _shownAt = _clock.ElapsedMilliseconds;
            _shown = true;
            var rate = done / Math.Max(0.001, _clock.Elapsed.TotalSeconds);
            var of = total is > 0 ? string.Create(CultureInfo.InvariantCulture, $" of {total:N0} {Bar(done, total.Value)}") : "";
            context.Error.Write(string.Create(CultureInfo.InvariantCulture, $"\r\u001b[K{what}: {done:N0}{of} ({rate:N0}/s)"));
        }
    }

    public void Clear()
    {
        lock (_lock)
        {
            if (_shown)
            {
                context.Error.Write("\r\u001b[K");
                _shown = false;
            }
        }
    }

    private static string Bar(long done, long total)
    {
        var filled = (int)Math.Clamp(done * 20 / total, 0, 20);
        return $"[{new string('#', filled)}{new string('.', 20 - filled)}]";
    }
}
