using Jobs.Tests.Cleanup;
using Jobs.Tests.Rig;
using Xunit;

namespace Jobs.Tests.Crash;

internal static class CleanupScenarios
{
    private static readonly DateTime Edge = Scenario.Now.AddMonths(-6);

    /// <summary>In several batches, so that it can die between two of them.</summary>
    public static readonly Scenario Move = new(
        "cleanup", "cleanup", [("sessions_deleted", 3), ("audit_logs_archived", 5)], SeedAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--batch-size", "2"],
        Check = world => world.EachRowOnceAsync([]),
    };

    /// <summary>One of them stands in the archive already: the batch is undone, and moved again with care.</summary>
    public static readonly Scenario MoveAgain = new(
        "cleanup of an archived row", "cleanup", [("sessions_deleted", 3), ("audit_logs_archived", 5)], SeedWithArchivedAsync)
    {
        Args = Move.Args,
        Check = Move.Check,
    };

    /// <summary>Two files, the rows of the first deleted in two batches.</summary>
    public static readonly Scenario Export = new(
        "cleanup into files", "cleanup", [("sessions_deleted", 3), ("audit_logs_exported", 5), ("files", 2)], SeedWithFolderAsync)
    {
        Args = ["--as-of", "2026-11-20T05:00:00Z", "--batch-size", "2", "--rows-per-file", "3"],
        Outside = world => new FileSteps(world.The<DirectoryInfo>()),
        Check = FilesAsync,
    };

    private static async Task SeedAsync(JobWorld world)
    {
        world.Environment["ARCHIVE_URL"] = null;
        foreach (var day in new[] { -30, -20, -15, -1 })
            await world.SessionAsync(Scenario.Now.AddDays(day));
        foreach (var day in new[] { -9, -7, -5, -3, -1, 0, 1 })
            await world.AuditAsync(Edge.AddDays(day));
        await world.RememberAsync();
    }

    private static async Task SeedWithArchivedAsync(JobWorld world)
    {
        await SeedAsync(world);
        await world.ExecuteAsync(
            """
            INSERT INTO audit_log_archive (id, actor, action, subject_type, subject_id, run_id, data, created_at)
            SELECT * FROM audit_logs ORDER BY created_at OFFSET 2 LIMIT 1
            """);
    }

    private static async Task SeedWithFolderAsync(JobWorld world)
    {
        await SeedAsync(world);
        // There from the start, so that what happens in it is seen from the start.
        world.With(world.Folder()).CreateSubdirectory("audit_logs").CreateSubdirectory($"{Edge.Year}");
    }

    private static async Task FilesAsync(JobWorld world)
    {
        var folder = world.The<DirectoryInfo>();
        Assert.Equal(2, folder.DataFiles().Count);
        await world.EachRowOnceAsync(folder);
    }
}
