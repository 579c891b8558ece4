using System.Globalization;
using Jobs.Billing;

namespace Jobs;

/// <summary>
/// Which backups stay: the last one of each of the latest days, weeks and months that have one, counted in the business zone. Only
/// verified ones count. The last verified one always stays, and so does everything after it.
/// </summary>
internal sealed record Retention(int Daily, int Weekly, int Monthly)
{
    /// <returns>Those that may go, the oldest first.</returns>
    public IReadOnlyList<Backup> Superfluous(IReadOnlyList<Backup> backups, BusinessZone zone)
    {
        var verified = backups.Where(b => b.VerifiedAt is not null).OrderByDescending(b => b.TakenAt).ThenByDescending(b => b.Name, StringComparer.Ordinal).ToList();
        if (verified.Count == 0)
        {
            return [];
        }

        var kept = new HashSet<Backup> { verified[0] };
        Keep(Daily, date => date.DayNumber);
        Keep(Weekly, date => (ISOWeek.GetYear(date.ToDateTime(default)) * 100) + ISOWeek.GetWeekOfYear(date.ToDateTime(default)));
        Keep(Monthly, date => (date.Year * 100) + date.Month);
        return [.. backups.Where(b => !kept.Contains(b) && b.TakenAt <= verified[0].TakenAt).OrderBy(b => b.TakenAt)];

        void Keep(int periods, Func<DateOnly, int> period) =>
            kept.UnionWith(verified.GroupBy(b => period(zone.Date(b.TakenAt))).OrderByDescending(g => g.Key).Take(periods).Select(g => g.First()));
    }
}
