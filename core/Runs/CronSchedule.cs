using System.Globalization;

namespace Jobs.Runs;

/// <summary>
/// Five crontab fields: minute, hour, day of month, month, day of week (0 is Sunday), each *, a number, a range, a step of * or of a
/// range, or a list of them. Only what cron, systemd and Kubernetes understand alike: numbers, no names; no 7 for Sunday; not both
/// days at once. Local times: which instants they are, the zone says.
/// </summary>
public sealed class CronSchedule
{
    // From here on four years and a bit: every day of every leap year, whatever the field.
    private static readonly DateTime SomeYears = new(2024, 1, 1), Later = new(2028, 6, 1);

    private readonly SortedSet<int> _minutes, _hours, _days, _months, _weekdays;

    /// <exception cref="FormatException">What is wrong with it.</exception>
    public CronSchedule(string text)
    {
        Text = text;
        var fields = text.Split(' ');
        if (fields.Length != 5)
        {
            throw new FormatException($"'{text}' has {fields.Length} fields instead of 5");
        }

        (_minutes, _hours, _days) = (Field(fields[0], 0, 59), Field(fields[1], 0, 23), Field(fields[2], 1, 31));
        (_months, _weekdays) = (Field(fields[3], 1, 12), Field(fields[4], 0, 6));
        if (fields[2] != "*" && fields[4] != "*")
        {
            throw new FormatException($"'{text}' restricts the day of the month and of the week: one scheduler wants both to match, another either");
        }

        if (!From(SomeYears).Any(time => time < Later))
        {
            throw new FormatException($"'{text}' never comes");
        }
    }

    public string Text { get; }

    public IReadOnlyCollection<int> Minutes => _minutes;

    public IReadOnlyCollection<int> Hours => _hours;

    public IReadOnlyCollection<int> Days => _days;

    public IReadOnlyCollection<int> Months => _months;

    /// <summary>0 is Sunday.</summary>
    public IReadOnlyCollection<int> Weekdays => _weekdays;

    /// <summary>In each hour of each day alike: no change of the clock skips or doubles anything of it.</summary>
    public bool EveryHour => _hours.Count == 24 && _days.Count == 31 && _months.Count == 12 && _weekdays.Count == 7;

    /// <summary>The longest time between two runs on the clock on the wall.</summary>
    public TimeSpan LongestPause
    {
        get
        {
            var (longest, last) = (TimeSpan.Zero, (DateTime?)null);
            // What every day, or every week, is alike in shows it sooner.
            var end = _days.Count < 31 || _months.Count < 12 ? Later : SomeYears.AddDays(_weekdays.Count < 7 ? 15 : 2);
            foreach (var time in From(SomeYears).TakeWhile(time => time < end))
            {
                longest = last is { } previous && time - previous > longest ? time - previous : longest;
                last = time;
            }

            return longest;
        }
    }

    /// <summary>The local times at or after this one, in order; endless.</summary>
    public IEnumerable<DateTime> From(DateTime local)
    {
        for (var day = local.Date; day < DateTime.MaxValue.Date; day = day.AddDays(1))
        {
            if (!_months.Contains(day.Month) || !_days.Contains(day.Day) || !_weekdays.Contains((int)day.DayOfWeek))
            {
                continue;
            }

            foreach (var hour in _hours)
            {
                foreach (var minute in _minutes)
                {
                    var time = day.AddMinutes((hour * 60) + minute);
                    if (time >= local)
                    {
                        yield return time;
                    }
                }
            }
        }
    }

    private SortedSet<int> Field(string field, int first, int last)
    {
        var values = new SortedSet<int>();
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch
            {
                [var all] => (all, 1),
                [var all, var every] when all == "*" || all.Contains('-', StringComparison.Ordinal) => (all, Number(every, 1, last)),
                [_, _] => throw new FormatException($"'{part}' in '{Text}' is a step of neither * nor a range"),
                _ => throw new FormatException($"'{part}' in '{Text}' has more than one step"),
            };
            var (from, to) = range == "*" ? (first, last) : range.Split('-') switch
            {
                [var one] => (Number(one, first, last), Number(one, first, last)),
                [var one, var other] => (Number(one, first, last), Number(other, first, last)),
                _ => throw new FormatException($"'{part}' in '{Text}' is not a range"),
            };
            if (from > to)
            {
                throw new FormatException($"'{part}' in '{Text}' is an empty range");
            }

            for (var value = from; value <= to; value += step)
            {
                values.Add(value);
            }
        }

        return values;
    }

    private int Number(string text, int first, int last) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= first && number <= last
            ? number
            : throw new FormatException($"'{text}' in '{Text}' is not a number from {first} to {last}");
}
