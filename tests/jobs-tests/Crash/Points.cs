using System.Globalization;
using Jobs.Tests.Proof;
using Jobs.Tests.Rig;

namespace Jobs.Tests.Crash;

/// <summary>A step of an undisturbed run at which it can be stopped: the n-th time of a round trip to the database.</summary>
internal readonly record struct Point(string Step, int Time, Phase Phase)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Phase} #{Time} of {string.Join(' ', Step.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
}

/// <summary>The points at which a run can be stopped.</summary>
internal static class Points
{
    /// <summary>
    /// `make proof`: before and after every round trip; of many looks that a scenario calls alike, a dozen. Else: where money moves, the first and the last time of each distinct
    /// place; elsewhere each distinct step once.
    /// </summary>
    /// <param name="log">Of an undisturbed run.</param>
    /// <param name="money">Whether it moves money.</param>
    /// <param name="alike">What a step is called that is as good as others.</param>
    public static IReadOnlyList<Point> Of(IReadOnlyList<RoundTrip> log, bool money = true, Func<string, string>? alike = null)
    {
        var times = new Dictionary<string, int>(StringComparer.Ordinal);
        var all = new List<Point>();
        foreach (var step in log.Select(trip => trip.Step))
        {
            var time = times[step] = times.GetValueOrDefault(step) + 1;
            all.Add(new Point(step, time, Phase.Before));
            all.Add(new Point(step, time, Phase.After));
        }

        if (Evidence.Full)
        {
            return Evidence.Endless || alike is null ? all
                : [.. all.GroupBy(point => (alike(point.Step), point.Phase)).SelectMany(same => Some([.. same], 12))];
        }

        return [.. all.Where(point => IsDistinct(point, money))
            .GroupBy(point => (alike?.Invoke(point.Step) ?? point.Step, point.Phase))
            .SelectMany(same => money && same.Count() > 1 ? new[] { same.First(), same.Last() } : [same.First()])];
    }

    /// <summary>
    /// A process that dies after a statement and before the next of its transaction leaves what one leaves that dies before the
    /// next is sent: PostgreSQL rolls back in both cases. So the distinct places to die are before each statement, before the
    /// COMMIT and after it; BEGIN has done nothing yet. What travels together is one step: the server does it all or, when
    /// it rolls back, nothing. Before the COMMIT is as before the statement: that is tried where money moves.
    /// </summary>
    private static bool IsDistinct(Point point, bool money) => point.Phase switch
    {
        Phase.After => EndsTransaction(point.Step),
        _ => !Begins(point.Step) && (money || !EndsTransaction(point.Step)),
    };

    /// <summary>The points at which that connection is in no transaction: a program that stands still there holds no lock on a row.</summary>
    public static IReadOnlyList<Point> OutsideTransactions(IReadOnlyList<RoundTrip> log)
    {
        var times = new Dictionary<string, int>(StringComparer.Ordinal);
        var open = new HashSet<int>();
        var points = new List<Point>();
        foreach (var trip in log)
        {
            var time = times[trip.Step] = times.GetValueOrDefault(trip.Step) + 1;
            if (!open.Contains(trip.Connection))
                points.Add(new Point(trip.Step, time, Phase.Before));
            if (EndsTransaction(trip.Step) || trip.Step.StartsWith("ROLLBACK", StringComparison.Ordinal))
                open.Remove(trip.Connection);
            else if (Begins(trip.Step))
                open.Add(trip.Connection);
            if (!open.Contains(trip.Connection))
                points.Add(new Point(trip.Step, time, Phase.After));
        }

        return points;
    }

    /// <summary>So many of them, evenly from the first to the last.</summary>
    public static IReadOnlyList<T> Some<T>(IReadOnlyList<T> all, int count) =>
        all.Count <= count ? all : [.. Enumerable.Range(0, count).Select(n => all[(int)(((2L * n) + 1) * all.Count / (2L * count))])];

    private static bool Begins(string step) => step.StartsWith("BEGIN", StringComparison.Ordinal);

    public static bool EndsTransaction(string step) =>
        step == "connect" || step.StartsWith("COMMIT", StringComparison.Ordinal) || step.EndsWith(";\nCOMMIT", StringComparison.Ordinal);
}
