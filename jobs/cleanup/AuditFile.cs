using System.Globalization;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Storage;

namespace Jobs;

/// <summary>
/// A row of `audit_log_files`: old audit logs on their way into a file. Planned, written (sha256), verified, their rows deleted. Each
/// step is a compare-and-set, so that a run that was killed, or sleeps, harms nobody: the next goes on from where it stands.
/// </summary>
internal sealed class AuditFile
{
    public long Id { get; init; }
    public string Url { get; init; } = "";
    public string Name { get; init; } = "";
    public long FirstId { get; init; }
    public long LastId { get; init; }
    public DateTime LastCreatedAt { get; init; }
    public long RowCount { get; init; }
    public string Sha256 { get; init; } = "";
    public DateTime? VerifiedAt { get; init; }

    /// <summary>The checksum beside the file, as sha256sum -c reads it.</summary>
    public string ChecksumName => $"{Name}.sha256";

    private const string Select =
        "SELECT id, url, name, first_id, last_id, last_created_at, row_count, sha256, verified_at FROM audit_log_files";

    private const string Open = $"{Select} WHERE deleted_at IS NULL";

    private const string Oldest =
        """
        WITH old AS (
            SELECT id, created_at FROM audit_logs
            WHERE created_at < @Before AND (created_at, id) > (@AfterTime, @AfterId)
            ORDER BY created_at, id
            LIMIT @Size
        )
        SELECT count(*) AS row_count, coalesce((array_agg(id ORDER BY created_at, id))[1], 0) AS first_id,
               coalesce((array_agg(id ORDER BY created_at DESC, id DESC))[1], 0) AS last_id,
               coalesce(max(created_at), '-infinity') AS last_created_at
        FROM old
        """;

    private const string Insert =
        """
        INSERT INTO audit_log_files (url, name, first_id, last_id, last_created_at, row_count)
        VALUES (@url, @name, @FirstId, @LastId, @LastCreatedAt, @RowCount)
        ON CONFLICT ((true)) WHERE deleted_at IS NULL DO NOTHING
        """;

    /// <summary>The file under way, if any.</summary>
    public static Task<AuditFile?> UnderWayAsync(Db db, CancellationToken cancellation) =>
        db.TransactionAsync(tx => tx.SingleOrDefaultAsync<AuditFile>(Open), cancellation);

    /// <summary>The oldest rows after the key; a <see cref="RowCount"/> of 0 when there are none.</summary>
    public static Task<AuditFile> OldestAsync(Db db, BatchKey key, CancellationToken cancellation) =>
        db.TransactionAsync(tx => tx.SingleAsync<AuditFile>(Oldest, key), Batches.Patience, cancellation);

    /// <summary>Puts the rows down for a file of their own; when another run has just done so, its file is the one under way.</summary>
    public async Task PlanAsync(Db db, FileStore store, CancellationToken cancellation)
    {
        // The time makes the name one that no other rows had before, not even in a database that was restored.
        var name = string.Create(
            CultureInfo.InvariantCulture,
            $"audit_logs/{LastCreatedAt:yyyy}/audit_logs-{FirstId:D12}-{LastId:D12}-{DateTime.UtcNow:yyyyMMdd'T'HHmmss'Z'}.jsonl.gz");
        await db.TransactionAsync(
            tx => tx.ExecuteAndCommitAsync(Insert, new { url = store.UrlOf(name), name, FirstId, LastId, LastCreatedAt, RowCount }), cancellation);
    }

    /// <summary>
    /// Gives up a file that was begun elsewhere than in <paramref name="elsewhere"/>, or at all when that is null. As soon as rows
    /// may have been deleted for it, it has to be completed where it is.
    /// </summary>
    public static async Task GiveUpAsync(JobRun run, Db db, FileStore? elsewhere)
    {
        if (await UnderWayAsync(db, run.Aborting) is not { } file || file.Url == elsewhere?.UrlOf(file.Name))
        {
            return;
        }

        if (file.VerifiedAt is not null)
        {
            throw new OperatorException(
                $"the export to {file.Url} has begun to delete what is in it; set ARCHIVE_URL as it was until a run has completed it");
        }

        if (!run.DryRun
            && await db.TransactionAsync(tx => tx.ExecuteAndCommitAsync(Forget, file), run.Aborting) > 0)
        {
            run.Log.LogGivenUp(file.Url);
        }
    }

    private const string Forget = "DELETE FROM audit_log_files WHERE id = @Id AND verified_at IS NULL";

    /// <summary>The last look before a file is put in its place. All its rows were still there, unless another run has written it since.</summary>
    public Task<bool> MayBeWrittenAsync(Db db, long rows, CancellationToken cancellation) =>
        ChangedAsync(db, "row_count = @rows", "sha256 = ''", new { Id, rows }, cancellation);

    public Task<bool> WrittenAsync(Db db, string sha256, long bytes, CancellationToken cancellation) =>
        ChangedAsync(db, "sha256 = @sha256, byte_count = @bytes", "sha256 = ''", new { Id, sha256, bytes }, cancellation);

    /// <summary>It has gone from the store; what is to be in it is all here.</summary>
    public Task<bool> LostAsync(Db db, CancellationToken cancellation) =>
        ChangedAsync(db, "sha256 = ''", "verified_at IS NULL", new { Id }, cancellation);

    public Task<bool> VerifiedAsync(Db db, CancellationToken cancellation) =>
        ChangedAsync(db, "verified_at = clock_timestamp()", "verified_at IS NULL AND sha256 = @Sha256", new { Id, Sha256 }, cancellation);

    /// <returns>False when another run has said so.</returns>
    public Task<bool> DeletedAsync(Db db, CancellationToken cancellation) =>
        ChangedAsync(db, "deleted_at = clock_timestamp()", "deleted_at IS NULL", new { Id }, cancellation);

    /// <returns>False when another run came first, or our own COMMIT went through and its answer was lost.</returns>
    private static async Task<bool> ChangedAsync(Db db, string change, string condition, object parameters, CancellationToken cancellation) =>
        await db.TransactionAsync(
            tx => tx.ExecuteAndCommitAsync($"UPDATE audit_log_files SET {change} WHERE id = @Id AND {condition}", parameters), cancellation) > 0;
}
