using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Storage;

namespace Jobs;

/// <summary>
/// Old audit logs go into files, compressed JSON Lines with every column of a row. A file's rows are deleted only after the whole
/// file was read back from the store: its checksum, that it can be decompressed, and the id of each row.
/// </summary>
internal sealed class AuditExport(JobRun run, Db db, JobOptions options, FileStore store)
{
    private const int Readings = 3;
    private const int PageRows = 500;
    private const int PageBytes = 1024 * 1024;

    public static readonly JobOption<int?> RowsPerFile = new(
        "--rows-per-file", "n", "With ARCHIVE_URL: at most this many audit logs a file. Default: 100000.", OptionValue.Positive, 100_000);

    // A page of rows ends where its text is long enough, so that huge rows come one at a time.
    private const string Page =
        """
        SET LOCAL TimeZone = 'UTC';
        WITH page AS (
            SELECT a.id, a.created_at, row_to_json(a)::text || chr(10) AS line
            FROM audit_logs AS a
            WHERE (a.created_at, a.id) > (@AfterTime, @AfterId) AND (a.created_at, a.id) <= (@LastCreatedAt, @LastId)
            ORDER BY a.created_at, a.id
            LIMIT @Size
        ),
        filled AS (
            SELECT id, created_at, line, sum(octet_length(line)) OVER (ORDER BY created_at, id) - octet_length(line) AS bytes_before
            FROM page
        )
        SELECT count(*)::int AS rows, convert_to(string_agg(line, '' ORDER BY created_at, id), 'UTF8') AS text,
               (array_agg(created_at ORDER BY created_at DESC, id DESC))[1] AS last_time,
               (array_agg(id ORDER BY created_at DESC, id DESC))[1] AS last_id
        FROM filled
        WHERE bytes_before < @Bytes
        """;

    // What was verified goes, and nothing else.
    private const string Delete = "DELETE FROM audit_logs WHERE id = ANY (@ids) AND (created_at, id) <= (@LastCreatedAt, @LastId)";

    private sealed class Lines
    {
        public int Rows { get; init; }
        public byte[]? Text { get; init; }
        public DateTime? LastTime { get; init; }
        public long? LastId { get; init; }
    }

    private bool _lost;

    /// <summary>A step at a time, from where the file under way stands.</summary>
    public async Task RunAsync(DateTime before)
    {
        run.Counters.Add("audit_logs_exported", 0);
        run.Counters.Add("files", 0);
        await AuditFile.GiveUpAsync(run, db, store);
        if (run.DryRun)
        {
            await ForetellAsync(before);
            return;
        }

        while (!run.Stopping.IsCancellationRequested)
        {
            var file = await AuditFile.UnderWayAsync(db, run.Aborting);
            if (file is null)
            {
                var oldest = Size() is > 0 and var size ? await AuditFile.OldestAsync(db, new BatchKey { Before = before, Size = size }, run.Aborting) : null;
                if (oldest is not { RowCount: > 0 })
                {
                    break;
                }

                await oldest.PlanAsync(db, store, run.Aborting);
            }
            else if (file.Sha256.Length == 0)
            {
                await WriteAsync(file);
            }
            else
            {
                await EmptyAsync(file);
            }
        }
    }

    private async Task ForetellAsync(DateTime before)
    {
        var file = await AuditFile.UnderWayAsync(db, run.Aborting);
        var key = new BatchKey { Before = before };
        while (!run.Stopping.IsCancellationRequested)
        {
            if (file is not null)
            {
                Count(file);
                key = key with { AfterTime = file.LastCreatedAt, AfterId = file.LastId };
            }

            file = Size() is > 0 and var size ? await AuditFile.OldestAsync(db, key with { Size = size }, run.Aborting) : null;
            if (file is not { RowCount: > 0 })
            {
                break;
            }
        }
    }

    private int Size() => (int)Math.Min(options.Get(RowsPerFile)!.Value, (run.Options.Limit ?? long.MaxValue) - run.Counters["audit_logs_exported"]);

    private void Count(AuditFile file)
    {
        run.Counters.Add("audit_logs_exported", file.RowCount);
        run.Counters.Add("files");
        run.Item(
            string.Create(CultureInfo.InvariantCulture, $"{file.FirstId}-{file.LastId}"), "exported",
            ("kind", "audit_log_file"), ("rows", file.RowCount), ("last_created_at", file.LastCreatedAt));
    }

    private async Task WriteAsync(AuditFile file)
    {
        using var sha = SHA256.Create();
        var bytes = await store.PutAsync(
            file.Name,
            async stream =>
            {
                long rows;
                await using (var hashing = new CryptoStream(stream, sha, CryptoStreamMode.Write, leaveOpen: true))
                await using (var gzip = new GZipStream(hashing, CompressionLevel.Optimal, leaveOpen: true))
                {
                    rows = await CopyAsync(file, gzip);
                }

                return await file.MayBeWrittenAsync(db, rows, run.Aborting);
            },
            run.Aborting);
        if (bytes is not { } length)
        {
            return;
        }

        var sum = Convert.ToHexStringLower(sha.Hash!);
        var line = Encoding.ASCII.GetBytes($"{sum}  {file.Name.Split('/')[^1]}\n");
        await store.PutAsync(
            file.ChecksumName,
            async stream =>
            {
                await stream.WriteAsync(line, run.Aborting);
                return true;
            },
            run.Aborting);
        await file.WrittenAsync(db, sum, length, run.Aborting);
    }

    /// <returns>How many rows.</returns>
    private async Task<long> CopyAsync(AuditFile file, GZipStream gzip)
    {
        var (rows, key) = (0L, new BatchKey { Size = PageRows });
        while (true)
        {
            var page = await db.TransactionAsync(
                tx => tx.SingleAsync<Lines>(Page, new { key.AfterTime, key.AfterId, file.LastCreatedAt, file.LastId, key.Size, Bytes = PageBytes }),
                Batches.Patience,
                run.Aborting);
            if (page.Text is null)
            {
                return rows;
            }

            await gzip.WriteAsync(page.Text, run.Aborting);
            rows += page.Rows;
            key = key with { AfterTime = page.LastTime!.Value, AfterId = page.LastId!.Value };
            run.ShowProgress(run.Counters["audit_logs_exported"] + rows);
        }
    }

    /// <summary>Verifies the file, then deletes its rows.</summary>
    private async Task EmptyAsync(AuditFile file)
    {
        if (await ReadBackAsync(file) is not { } ids)
        {
            await WriteAnewAsync(file);
            return;
        }

        if (file.VerifiedAt is null && !await file.VerifiedAsync(db, run.Aborting))
        {
            return;
        }

        foreach (var batch in ids.Chunk(run.Options.BatchSize ?? Cleanup.DefaultBatch))
        {
            if (run.Stopping.IsCancellationRequested)
            {
                return;
            }

            await db.TransactionAsync(
                tx => tx.ExecuteAndCommitAsync(Delete, new { ids = batch, file.LastCreatedAt, file.LastId }), Batches.Patience, run.Aborting);
        }

        if (await file.DeletedAsync(db, run.Aborting))
        {
            Count(file);
        }
    }

    private async Task WriteAnewAsync(AuditFile file)
    {
        if (_lost || file.VerifiedAt is not null)
        {
            throw new StoreException($"{file.Url} is not there any more; the rows of it that were not deleted yet stay in audit_logs; bring it back, then run again");
        }

        _lost = true;
        if (await file.LostAsync(db, run.Aborting))
        {
            run.Log.LogWrittenAnew(file.Url);
        }
    }

    /// <returns>The ids in the file, or null when there is none.</returns>
    private async Task<List<long>?> ReadBackAsync(AuditFile file)
    {
        for (var reading = 1; ; reading++)
        {
            try
            {
                return await ReadOnceAsync(file);
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                if (reading == Readings)
                {
                    throw new StoreException(
                        $"{file.Url} does not hold what was written ({e.Message}); "
                        + (file.VerifiedAt is null ? "no row was deleted; remove the file, then run again: it is written anew"
                            : "the rows of it that were not deleted yet stay in audit_logs; bring the file back, then run again"),
                        e);
                }

                run.Log.LogReadAgain(file.Url, e.Message);
            }
        }
    }

    private async Task<List<long>?> ReadOnceAsync(AuditFile file)
    {
        await using var content = await store.OpenAsync(file.Name, run.Aborting);
        if (content is null)
        {
            return null;
        }

        using var sha = SHA256.Create();
        await using var hashing = new CryptoStream(content, sha, CryptoStreamMode.Read);
        var ids = new List<long>();
        await using (var gzip = new GZipStream(hashing, CompressionMode.Decompress, leaveOpen: true))
        using (var lines = new StreamReader(gzip, Encoding.UTF8))
        {
            while (await lines.ReadLineAsync(run.Aborting) is { } line)
            {
                ids.Add(IdOf(line));
            }
        }

        await hashing.CopyToAsync(Stream.Null, run.Aborting);
        var sum = Convert.ToHexStringLower(sha.Hash!);
        return sum != file.Sha256 ? throw new InvalidDataException($"its SHA-256 is {sum} instead of {file.Sha256}")
            : ids.Count != file.RowCount ? throw new InvalidDataException($"it has {ids.Count} rows instead of {file.RowCount}")
            : ids;
    }

    /// <summary>The first member, as PostgreSQL writes it: {"id":17,...</summary>
    private static long IdOf(string line) =>
        line.StartsWith(Id, StringComparison.Ordinal)
        && long.TryParse(line.AsSpan(Id.Length, Math.Max(0, line.IndexOf(',', StringComparison.Ordinal) - Id.Length)), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id)
            ? id
            : throw new InvalidDataException("a line of it is no audit log");

    private const string Id = "{\"id\":";
}
