using Jobs.Runs;
using Npgsql;

namespace Jobs;

/// <summary>
/// Makes rows and files agree before a run begins: what runs left behind that were killed is removed, what they completed is known.
/// A dump without a manifest is removed only where a row says that it was never completed, or is to be gone.
/// </summary>
internal sealed class Leftovers(JobRun run, Shelf shelf, BackupRows rows, NpgsqlConnection connection)
{
    /// <returns>The backups there are, without one that a run is still proving: it is nobody else's to remove.</returns>
    public async Task<IReadOnlyList<Backup>> TidyAsync(CancellationToken cancellation)
    {
        // In this order: whatever a run did that had ended when it was asked for is among the files. The other way round, a backup that is
        // completed in between would be taken for something left behind.
        var known = (await rows.AllAsync()).Where(r => Backup.NameOf(FileOf(r), shelf.Database) == r.Name && r.Location == shelf.Store.UrlOf(FileOf(r)))
            .ToDictionary(r => r.Name, StringComparer.Ordinal);
        var alive = await AliveAsync(known.Values, cancellation);
        var files = await shelf.FilesAsync(cancellation);
        var backups = (await shelf.BackupsAsync(cancellation)).ToDictionary(b => b.Name, StringComparer.Ordinal);
        foreach (var row in known.Values.Where(row => !alive.Contains(row.Name)))
        {
            var dumps = files.Where(f => f.Backup == row.Name && f.File != Backup.ManifestOf(row.Name)).Select(f => f.File).ToList();
            if (row.DeletedAt is not null ? dumps.Count > 0 || backups.ContainsKey(row.Name) : !backups.ContainsKey(row.Name))
            {
                await SettleAsync(row, dumps, cancellation);
                backups.Remove(row.Name);
            }
            else if (row is { VerifiedAt: null, DeletedAt: null } && !run.DryRun)
            {
                // Complete, but its run may have died while it wrote checksum and manifest anew.
                await RemoveUnfinishedAsync(row, cancellation);
            }
        }

        foreach (var backup in backups.Values.Where(b => !known.TryGetValue(b.Name, out var row) || row.FinishedAt is null || row.VerifiedAt is null != b.VerifiedAt is null))
        {
            if (!run.DryRun)
            {
                await rows.WriteAsync(backup, shelf.Store.UrlOf(backup.File));
            }
        }

        foreach (var (_, file) in files.Where(f => f.File != Backup.ManifestOf(f.Backup) && !backups.ContainsKey(f.Backup) && !known.ContainsKey(f.Backup)))
        {
            run.Log.LogOrphan(shelf.Store.UrlOf(file));
        }

        return [.. backups.Values.Where(b => !alive.Contains(b.Name)).OrderBy(b => b.TakenAt).ThenBy(b => b.Name, StringComparer.Ordinal)];
    }

    /// <summary>Those that a run is making or proving at this moment.</summary>
    private async Task<HashSet<string>> AliveAsync(IEnumerable<BackupRows.Row> known, CancellationToken cancellation)
    {
        var alive = new HashSet<string>(StringComparer.Ordinal);
        foreach (var row in known)
        {
            if (row is { VerifiedAt: null, DeletedAt: null, RunId: { } id } && await Server.LivesAsync(connection, id, cancellation))
            {
                alive.Add(row.Name);
            }
        }

        return alive;
    }

    private static string FileOf(BackupRows.Row row) => row.Location[(row.Location.LastIndexOf('/') + 1)..];

    /// <summary>A row whose backup is not there, or is not to be.</summary>
    private async Task SettleAsync(BackupRows.Row row, List<string> dumps, CancellationToken cancellation)
    {
        if (row is { FinishedAt: not null, DeletedAt: null } && dumps.Count > 0)
        {
            dumps.ForEach(file => run.Log.LogOrphan(shelf.Store.UrlOf(file)));
            return;
        }

        run.Count("leftovers_removed", row.Name, ("location", row.Location));
        if (run.DryRun)
        {
            return;
        }

        await shelf.RemoveAsync(row.Name, dumps, cancellation);
        await RemoveUnfinishedAsync(row, cancellation);
        await rows.DeletedAsync(row.Name);
    }

    private async Task RemoveUnfinishedAsync(BackupRows.Row row, CancellationToken cancellation)
    {
        await shelf.Store.RemoveUnfinishedAsync(FileOf(row), cancellation);
        await shelf.Store.RemoveUnfinishedAsync(Backup.ChecksumOf(FileOf(row)), cancellation);
        await shelf.Store.RemoveUnfinishedAsync(Backup.ManifestOf(row.Name), cancellation);
    }
}
