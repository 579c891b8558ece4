using System.Globalization;
using Jobs.Tests.Backups;
using Jobs.Tests.Rig;
using Xunit;
using static Jobs.Tests.Subscriptions.BillingScene;

namespace Jobs.Tests.Proof.Calendar;

/// <summary>Which of very many backups stay: the last of each day, week and month by the clocks on the wall.</summary>
[Trait("Category", "Proof")]
public sealed class RetentionCalendarTests(PostgresFixture fixture)
{
    [Fact]
    public async Task The_last_of_each_day_week_and_month_stays()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync("--as-of", "2025-01-01T00:00:00Z");
        var first = folder.Manifests()[0];
        var (name, file) = ((string)first["name"]!, (string)first["file"]!);
        var random = new Random(7);
        foreach (var zone in Evidence.Full ? WallClock.Moved : WallClock.Moved.Where(zone => zone.Id == "Pacific/Chatham"))
        {
            foreach (var old in folder.EnumerateFiles())
                old.Delete();
            // Two years to the night on which clocks are put back, half of them within seconds of midnight.
            var now = zone.ChangesOf(2027)[1].AddHours(1);
            var backups = new Dictionary<string, DateTime>(StringComparer.Ordinal);
            for (var n = 0; n < 250; n++)
            {
                var day = zone.Date(now).AddDays(-(n < 60 ? random.Next(20) : random.Next(730)));
                var taken = n % 2 == 0 ? zone.StartOfDay(day).AddSeconds(random.Next(-3, 3)) : zone.StartOfDay(day).AddSeconds(random.Next(86_400));
                if (taken >= now || backups.ContainsValue(taken))
                    continue;
                var copy = first.DeepClone().AsObject();
                var called = string.Create(CultureInfo.InvariantCulture, $"{name[..^25]}{taken:yyyyMMdd'T'HHmmss'Z'}-{n:x8}");
                (copy["name"], copy["file"], copy["taken_at"], copy["run_id"]) = (called, $"{called}.dump", AsOf(taken), Guid.NewGuid().ToString());
                await File.WriteAllTextAsync(folder.Path($"{called}.json"), copy.ToJsonString(), TestContext.Current.CancellationToken);
                await File.WriteAllTextAsync(folder.Path($"{called}.dump"), file, TestContext.Current.CancellationToken);
                backups.Add(called, taken);
            }

            world.Environment["JOBS_TIME_ZONE"] = zone.Id;
            foreach (var (daily, weekly, monthly) in new[] { (7, 5, 12), (3, 0, 2), (0, 9, 0) }.Take(Evidence.Full ? 3 : 1))
            {
                var run = await world.BackedUpAsync(
                    "--dry-run", "--as-of", AsOf(now), "--keep-daily", $"{daily}", "--keep-weekly", $"{weekly}", "--keep-monthly", $"{monthly}");

                var newestFirst = backups.OrderByDescending(b => b.Value).Prepend(new("the new one", now)).ToList();
                var kept = new HashSet<string>(StringComparer.Ordinal) { newestFirst[0].Key };
                Keep(daily, date => date);
                Keep(weekly, date => date.AddDays(-(((int)date.DayOfWeek + 6) % 7)));
                Keep(monthly, date => date.AddDays(1 - date.Day));
                var expected = backups.Keys.Where(b => !kept.Contains(b)).Order(StringComparer.Ordinal);
                var actual = run.Json.GetProperty("items").EnumerateArray().Where(i => i.GetProperty("outcome").GetString() == "deleted")
                    .Select(i => i.GetProperty("id").GetString()!).Order(StringComparer.Ordinal);
                Assert.Equal(expected, actual);
                Evidence.Record("backup-database", Trouble.Calendar, backups.Count);

                void Keep(int periods, Func<DateTime, DateTime> begins)
                {
                    var seen = new HashSet<DateTime>();
                    foreach (var backup in newestFirst)
                    {
                        if (seen.Count < periods && seen.Add(begins(zone.Date(backup.Value))))
                            kept.Add(backup.Key);
                    }
                }
            }
        }

        folder.Delete(recursive: true);
    }
}
