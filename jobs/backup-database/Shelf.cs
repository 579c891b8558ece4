using System.Text;
using Jobs.Runs;
using Jobs.Storage;

namespace Jobs;

/// <summary>
/// Where the backups of one database are kept. A backup is there when its manifest is, which is written after its dump and removed
/// before it. What is not named as backup-database names its files is never touched.
/// </summary>
internal sealed class Shelf(FileStore store, string database)
{
    private const int MostBytes = 4 * 1024 * 1024;

    public FileStore Store => store;
    public string Database => database;

    /// <summary>Every file of ours.</summary>
    public async Task<IReadOnlyList<(string Backup, string File)>> FilesAsync(CancellationToken cancellation) =>
    [
        .. (await store.ListAsync(Backup.Prefix(database), cancellation))
            .Select(f => (Backup: Backup.NameOf(f.Name, database)!, File: f.Name))
            .Where(f => f.Backup is not null),
    ];

    /// <summary>The backups, the oldest first.</summary>
    public async Task<IReadOnlyList<Backup>> BackupsAsync(CancellationToken cancellation)
    {
        var backups = new List<Backup>();
        foreach (var (name, file) in await FilesAsync(cancellation))
        {
            if (file == Backup.ManifestOf(name) && await ReadAsync(file, cancellation) is { } backup && backup.Name == name && backup.Database == database)
            {
                backups.Add(backup);
            }
        }

        return [.. backups.OrderBy(b => b.TakenAt).ThenBy(b => b.Name, StringComparer.Ordinal)];
    }

    private async Task<Backup?> ReadAsync(string file, CancellationToken cancellation)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await using var content = await store.OpenAsync(file, cancellation);
                if (content is null)
                {
                    return null;
                }

                using var text = new MemoryStream();
                await Child.CopyAsync(
                    content,
                    bytes =>
                    {
                        text.Write(bytes.Span);
                        return text.Length <= MostBytes ? Task.CompletedTask : throw new StoreException($"{store.UrlOf(file)} is far too long for a manifest");
                    },
                    cancellation);
                return Backup.FromJson(text.ToArray());
            }
            catch (IOException) when (attempt < 3)
            {
                // Lost on the way.
            }
        }
    }

    /// <exception cref="OperatorException">There is none of that name, or none at all.</exception>
    /// <param name="name">Null: the last one that was verified.</param>
    public async Task<Backup> FindAsync(string? name, CancellationToken cancellation)
    {
        var backups = await BackupsAsync(cancellation);
        var last = backups.LastOrDefault(b => b.VerifiedAt is not null) ?? (backups.Count > 0 ? backups[^1] : null);
        return (name is null ? last : backups.FirstOrDefault(b => b.Name == name))
            ?? throw new OperatorException(name is null
                ? $"there is no backup of the database {database} in {store.UrlOf("")}; is BACKUP_URL right, and the database's name?"
                : $"there is no backup {name} of the database {database}; --list names those there are");
    }

    /// <summary>The manifest last: with it the backup is there.</summary>
    public async Task WriteAsync(Backup backup, CancellationToken cancellation)
    {
        await WriteAsync(Backup.ChecksumOf(backup.File), Encoding.UTF8.GetBytes($"{backup.Sha256}  {backup.File}\n"), cancellation);
        await WriteAsync(backup.Manifest, backup.ToJson(), cancellation);
    }

    private Task WriteAsync(string name, byte[] content, CancellationToken cancellation) =>
        store.PutAsync(
            name,
            async stream =>
            {
                await stream.WriteAsync(content, cancellation);
                return true;
            },
            cancellation);

    /// <summary>The manifest first: what has lost its dump must not look like a backup.</summary>
    public async Task RemoveAsync(string name, IEnumerable<string> others, CancellationToken cancellation)
    {
        await store.DeleteAsync(Backup.ManifestOf(name), cancellation);
        foreach (var file in others)
        {
            await store.DeleteAsync(file, cancellation);
        }
    }
}
