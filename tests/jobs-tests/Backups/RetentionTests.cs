using System.Globalization;
using System.Text.Json.Nodes;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Backups;

/// <summary>Which backups go once a new one is verified.</summary>
public sealed class RetentionTests(PostgresFixture fixture)
{
    private const string Now = "2026-11-20T00:30:00Z";

    /// <summary>Puts a backup there as if it had been made at that time: a copy of a true one.</summary>
    private static async Task<string> EarlierAsync(DirectoryInfo folder, JsonObject manifest, string takenAt, bool verified = true)
    {
        var (old, oldFile) = ((string)manifest["name"]!, (string)manifest["file"]!);
        var time = DateTime.Parse(takenAt, CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal);
        var name = string.Create(CultureInfo.InvariantCulture, $"{old[..^25]}{time:yyyyMMdd'T'HHmmss'Z'}-0a0a0a0a");
        var copy = manifest.DeepClone().AsObject();
        (copy["name"], copy["file"], copy["taken_at"], copy["run_id"]) = (name, $"{name}.dump", takenAt, Guid.NewGuid().ToString());
        if (!verified)
            copy["verified_at"] = null;
        await File.WriteAllTextAsync(folder.Path($"{name}.json"), copy.ToJsonString());
        File.Copy(folder.Path(oldFile), folder.Path($"{name}.dump"));
        await File.WriteAllTextAsync(folder.Path($"{name}.dump.sha256"), $"{manifest["sha256"]}  {name}.dump\n");
        return name;
    }

    [Fact]
    public async Task The_last_of_each_day_week_and_month_stay_in_the_business_zone()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync("--as-of", "2025-01-01T00:00:00Z");
        var first = folder.Manifests()[0];
        var kept = new List<string>();
        foreach (var (takenAt, stays) in new[]
        {
            ("2026-11-19T23:30:00Z", false), // 20 November in Paris: the new one is that day's last.
            ("2026-11-19T22:30:00Z", true), // 19 November.
            ("2026-11-19T00:30:00Z", false), // Its first.
            ("2026-11-18T00:30:00Z", true), // The third day.
            ("2026-11-17T00:30:00Z", false),
            ("2026-11-15T22:30:00Z", true), // Sunday: the week before.
            ("2026-11-15T00:30:00Z", false),
            ("2026-11-09T00:30:00Z", false),
            ("2026-10-31T22:30:00Z", true), // The last of October.
            ("2026-10-30T00:30:00Z", false),
            ("2026-03-31T00:30:00Z", true), // There is none between: the third month that has one.
            ("2026-02-28T00:30:00Z", false),
        })
        {
            var name = await EarlierAsync(folder, first, takenAt);
            if (stays)
                kept.Add(name);
        }

        var foreign = new[] { "notes.txt", $"{world.Database}-notes.json", "other-20200101T000000Z-0a0a0a0a.json", $"{world.Database}-20200101T000000Z-0a0a0a0a.dump" };
        foreach (var name in foreign)
            await File.WriteAllTextAsync(folder.Path(name), "{}", TestContext.Current.CancellationToken);
        string[] keep = ["--as-of", Now, "--keep-daily", "3", "--keep-weekly", "2", "--keep-monthly", "3"];

        var dry = await world.BackedUpAsync(["--dry-run", .. keep]);
        var run = await world.BackedUpAsync([.. keep, "--items"]);

        Assert.Equal(8, run.Counter("deleted"));
        Assert.Equal(Deleted(dry), Deleted(run));
        Assert.All(foreign, name => Assert.True(File.Exists(folder.Path(name)), name));
        Array.ForEach(foreign, name => File.Delete(folder.Path(name)));
        var made = run.Item().GetProperty("id").GetString()!;
        Assert.Equal(kept.Append(made).Order(StringComparer.Ordinal), folder.Manifests().Select(m => (string)m["name"]!));
        await world.AllIsWellAsync(folder, 6);

        Assert.Equal(1, (await world.BackedUpAsync(["--as-of", "2026-11-20T00:31:00Z", .. keep[2..]])).Counter("deleted"));
        await world.AllIsWellAsync(folder, 6);
        folder.Delete(recursive: true);
    }

    private static string[] Deleted(JobResult run) =>
        [.. run.Json.GetProperty("items").EnumerateArray().Where(i => i.GetProperty("outcome").GetString() == "deleted").Select(i => i.GetProperty("id").GetString()!)];

    [Fact]
    public async Task Without_a_new_verified_one_nothing_goes_and_the_last_verified_one_never()
    {
        var (world, folder) = await fixture.BusinessAsync();
        await using var _ = world;
        await world.BackedUpAsync("--as-of", "2026-01-01T00:00:00Z");
        var first = folder.Manifests()[0];
        await EarlierAsync(folder, first, "2026-01-02T00:00:00Z");
        await EarlierAsync(folder, first, "2026-01-03T00:00:00Z", verified: false);
        string[] none = ["--keep-daily", "0", "--keep-weekly", "0", "--keep-monthly", "0"];
        world.Programs(beforeRestore: "echo 'pg_restore: error: out of luck' >&2; exit 1");

        Assert.Equal(1, (await world.BackUpAsync(["--as-of", Now, .. none])).ExitCode);
        await world.AllIsWellAsync(folder, 4, verified: 2);

        world.Environment["JOBS_PG_BIN"] = world.Server.BinDirectory;
        var run = await world.BackedUpAsync(["--as-of", "2026-11-21T00:30:00Z", .. none]);

        Assert.Equal(4, run.Counter("deleted"));
        await world.AllIsWellAsync(folder, 1);
        folder.Delete(recursive: true);
    }
}
