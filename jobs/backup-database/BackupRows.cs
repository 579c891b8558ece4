using Jobs.Database;

namespace Jobs;

/// <summary>
/// The rows of `backups`: before anything is written a row names it, so that what is left of a run that was killed is found. Each
/// change is a compare-and-set; where rows and manifests differ, the manifests are right.
/// </summary>
internal sealed class BackupRows(Db db, CancellationToken cancellation)
{
    public sealed class Row
    {
        public string Name { get; init; } = "";
        public string Location { get; init; } = "";
        public Guid? RunId { get; init; }
        public DateTime? FinishedAt { get; init; }
        public DateTime? VerifiedAt { get; init; }
        public DateTime? DeletedAt { get; init; }
    }

    private const string All = "SELECT name, location, run_id, finished_at, verified_at, deleted_at FROM backups ORDER BY id";

    private const string Begin =
        "INSERT INTO backups (name, location, run_id) VALUES (@name, @location, @run) ON CONFLICT (name) DO NOTHING";

    // Also one that another run made, or a database that this one was restored from.
    private const string Finish =
        """
        INSERT INTO backups AS known (name, location, run_id, started_at, finished_at, verified_at, size_bytes, sha256, restore_seconds)
        VALUES (@Name, @location, @RunId, @StartedAt, @FinishedAt, @VerifiedAt, @SizeBytes, @Sha256, @RestoreSeconds)
        ON CONFLICT (name) DO UPDATE
        SET finished_at = excluded.finished_at, verified_at = excluded.verified_at, size_bytes = excluded.size_bytes, sha256 = excluded.sha256,
            restore_seconds = excluded.restore_seconds
        WHERE known.deleted_at IS NULL
        """;

    public Task<List<Row>> AllAsync() => db.TransactionAsync(tx => tx.QueryAsync<Row>(All), cancellation);

    public Task BeginAsync(string name, string location, Guid run) =>
        db.TransactionAsync(tx => tx.ExecuteAndCommitAsync(Begin, new { name, location, run }), cancellation);

    /// <summary>The last look before the dump gets its name. False: the run was taken for dead, and what it left behind removed.</summary>
    public Task<bool> MayBePlacedAsync(string name) =>
        db.TransactionAsync(tx => tx.SingleAsync<bool>("SELECT EXISTS (SELECT FROM backups WHERE name = @name AND deleted_at IS NULL)", new { name }), cancellation);

    /// <summary>As its manifest says.</summary>
    public Task WriteAsync(Backup backup, string location) =>
        db.TransactionAsync(
            tx => tx.ExecuteAndCommitAsync(
                Finish,
                new
                {
                    backup.Name,
                    location,
                    backup.RunId,
                    backup.StartedAt,
                    backup.FinishedAt,
                    backup.VerifiedAt,
                    backup.SizeBytes,
                    backup.Sha256,
                    backup.RestoreSeconds,
                }),
            cancellation);

    public Task DeletedAsync(string name) =>
        db.TransactionAsync(
            tx => tx.ExecuteAndCommitAsync("UPDATE backups SET deleted_at = clock_timestamp() WHERE name = @name AND deleted_at IS NULL", new { name }),
            cancellation);
}
