using System.Globalization;

namespace Jobs.Runs;

/// <summary>
/// Five crontab fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday), each *, a number, a range, a step
/// or a list of them. Local times: which instants they are, the zone says. As in cron, a day matches either of the two day fields
/// when both are restricted.
/// </summary>
public sealed class CronSchedule
{
    private readonly SortedSet<int> _minutes, _hours, _days, _months, _weekdays;
    private readonly bool _eitherDay;

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
        (_months, _weekdays) = (Field(fields[3], 1, 12), Field(fields[4], 0, 7));
        if (_weekdays.Contains(7))
        {
            _weekdays.Add(0);
        }

        _eitherDay = !fields[2].StartsWith('*') && !fields[4].StartsWith('*');
    }

    public string Text { get; }

    /// <summary>The longest time between two runs on the clock on the wall.</summary>
    public TimeSpan LongestPause
    {
        get
        {
            // Four years and a bit: the 29th of February too.
            var (longest, last) = (TimeSpan.Zero, (DateTime?)null);
            foreach (var time in From(new DateTime(2024, 1, 1)).TakeWhile(time => time < new DateTime(2028, 6, 1)))
            {
                longest = last is { } previous && time - previous > longest ? time - previous : longest;
                last = time;
            }

            return longest;
        }
    }

    /// <summary>The local times at or after this one, in order; endless unless no day ever matches.</summary>
    public IEnumerable<DateTime> From(DateTime local)
    {
        for (var day = local.Date; day.Year < local.Year + 30; day = day.AddDays(1))
        {
            if (!Matches(day))
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

    private bool Matches(DateTime day)
    {
        var (dayMatches, weekdayMatches) = (_days.Contains(day.Day), _weekdays.Contains((int)day.DayOfWeek));
        return _months.Contains(day.Month) && (_eitherDay ? dayMatches || weekdayMatches : dayMatches && weekdayMatches);
    }

    private SortedSet<int> Field(string field, int first, int last)
    {
        var values = new SortedSet<int>();
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch
            {
                [var all] => (all, 1),
                [var all, var every] => (all, Number(every, 1, last)),
                _ => throw new FormatException($"'{part}' in '{Text}' has more than one step"),
            };
            var (from, to) = range == "*" ? (first, last) : range.Split('-') switch
            {
                [var one] => (Number(one, first, last), range == part ? Number(one, first, last) : last),
                [var one, var other] => (Number(one, first, last), Number(other, first, last)),
                _ => throw new FormatException($"'{part}' in '{Text}' is not a range"),
            };
            for (var value = from; value <= to; value += step)
            {
                values.Add(value);
            }
        }

        return values.Count > 0 ? values : throw new FormatException($"'{field}' in '{Text}' is an empty range");
    }

    private int Number(string text, int first, int last) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= first && number <= last
            ? number
            : throw new FormatException($"'{text}' in '{Text}' is not a number from {first} to {last}");
}
