using System.Diagnostics;
using System.Globalization;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Jobs.Storage;
using Npgsql;

namespace Jobs;

/// <summary>
/// Dumps the database, proves the dump by restoring it, and then removes what is superfluous. Killed anywhere, the last good backup is
/// untouched, nothing partial has a backup's name, and the next run removes what is left. --list, --verify-only and --restore-to need
/// neither the ledger nor the database itself.
/// </summary>
public sealed class BackupDatabase(JobRun run, Db db, JobOptions options, Settings settings) : IJob
{
    private static readonly JobOption<bool> List = new(
        "--list", "", "List the backups there are.", OptionValue.Flag, false, "JOBS_BACKUP_LIST");

    private static readonly JobOption<bool> VerifyOnly = new(
        "--verify-only", "", "Make none: prove the last one, or the one that --backup names, by restoring it.", OptionValue.Flag, false, "JOBS_BACKUP_VERIFY_ONLY");

    private static readonly JobOption<string?> RestoreTo = new(
        "--restore-to", "database", "Restore the last verified one, or the one that --backup names, as this database: a name on the server, or a URL.",
        OptionValue.Text, null, "JOBS_RESTORE_TO");

    private static readonly JobOption<string?> Chosen = new("--backup", "name", "The backup to verify or restore; --list names them.", OptionValue.Text, null);

    private static readonly JobOption<int?> KeepDaily = new("--keep-daily", "n", "Keep the last of each of n days. Default: 7.", OptionValue.NotNegative, 7);
    private static readonly JobOption<int?> KeepWeekly = new("--keep-weekly", "n", "Keep the last of each of n weeks. Default: 5.", OptionValue.NotNegative, 5);
    private static readonly JobOption<int?> KeepMonthly = new("--keep-monthly", "n", "Keep the last of each of n months. Default: 12.", OptionValue.NotNegative, 12);

    private static readonly JobOption<string?> PgBin = new(
        "--pg-bin", "folder", "Where pg_dump and pg_restore are. Default: on PATH, else /usr/lib/postgresql/*/bin.", OptionValue.Text, null);

    public static readonly JobOption[] Options = [List, VerifyOnly, RestoreTo, Chosen, KeepDaily, KeepWeekly, KeepMonthly, PgBin];

    /// <summary>Needed most when the database is gone.</summary>
    public static bool IsOutsideLedger(JobOptions options) => options.Get(List) || options.Get(VerifyOnly) || options.Get(RestoreTo) is not null;

    // In the dump's own transaction: what else sees this moment.
    private const string Begin =
        """
        BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
        SET LOCAL statement_timeout = 0;
        SET LOCAL idle_in_transaction_session_timeout = 0;
        """;

    private const string Locale =
        "SELECT pg_encoding_to_char(encoding) || ' ' || datcollate || ' ' || datctype FROM pg_database WHERE datname = current_database()";

    private readonly BackupRows _rows = new(db, run.Aborting);

    public async Task RunAsync()
    {
        if (run.Options.Only is not null || run.Options.Limit is not null || !run.Options.Shard.IsAll)
        {
            throw new OperatorException("backup-database takes neither --only, --limit nor --shard: a backup is whole");
        }

        using var store = FileStore.Open("BACKUP_URL", settings.Required("BACKUP_URL", "where backups go: file:///folder or s3://bucket/prefix"), settings);
        var source = new Server(
            settings.Optional("BACKUP_DATABASE_URL") ?? settings.Required("DATABASE_URL", "the database to dump"), run.Job.Name);
        var shelf = new Shelf(store, source.Database);
        try
        {
            await (options.Get(List) ? ListAsync(shelf)
                : options.Get(RestoreTo) is { } target ? new Restoration(run, settings, shelf, source, options.Get(PgBin)).RunAsync(target, options.Get(Chosen))
                : options.Get(VerifyOnly) ? VerifyAsync(shelf, source)
                : BackUpAsync(shelf, source));
        }
        catch (Exception) when (run.Stopping.IsCancellationRequested)
        {
            // What was begun is given up: half a backup is none.
        }
    }

    private async Task BackUpAsync(Shelf shelf, Server source)
    {
        var cipher = await Cipher.ForNewAsync(settings, run.Stopping);
        await using var connection = await source.OpenAsync(null, run.Stopping);
        var programs = await PostgresPrograms.FindAsync(options.Get(PgBin), connection.PostgreSqlVersion, run.Stopping);
        await using var alive = await source.OpenAsync(null, run.Stopping);
        await Server.ShowAliveAsync(alive, run.Id, run.Stopping);
        var proving = Proving(source);
        var earlier = await new Leftovers(run, shelf, _rows, alive).TidyAsync(run.Stopping);
        await DropScratchAsync(proving);

        await Server.ExecuteAsync(connection, Begin, run.Stopping);
        var snapshot = await Server.ScalarAsync<string>(connection, run.DryRun ? "SELECT ''" : "SELECT pg_export_snapshot()", run.Stopping);
        var facts = await Facts.ReadAsync(connection, run, run.Stopping);
        foreach (var promise in facts.Broken)
        {
            run.Log.LogBroken(promise, facts.Checks[promise]);
        }

        var name = Backup.NameFor(source.Database, run.Now, run.Id);
        var backup = new Backup
        {
            Name = name,
            Database = source.Database,
            File = Dump.FileName(name, cipher),
            Encryption = cipher?.Name ?? "none",
            RunId = run.Id,
            TakenAt = run.Now,
            StartedAt = DateTime.UtcNow,
            FinishedAt = DateTime.UtcNow,
            ServerVersion = connection.ServerVersion,
            PgDumpVersion = programs.Version,
            Version = JobProgram.Version,
            Encoding = "",
            Collation = "",
            CharacterType = "",
            SizeBytes = 0,
            Sha256 = "",
            Facts = facts,
        };
        if (await Server.ScalarAsync<string>(connection, Locale, run.Stopping) is var locale && locale.Split(' ') is [var encoding, var collation, var characterType])
        {
            backup = backup with { Encoding = encoding, Collation = collation, CharacterType = characterType };
        }

        if (run.DryRun)
        {
            Tell(backup, "backed_up");
            await RetainAsync(shelf, [.. earlier, backup with { VerifiedAt = run.Now }]);
            return;
        }

        var proven = await MakeAndProveAsync(shelf, source, proving, connection, snapshot, backup, cipher, programs);
        Tell(proven, "backed_up");
        await RetainAsync(shelf, [.. earlier, proven]);
    }

    private Server Proving(Server source) =>
        settings.Optional("BACKUP_VERIFY_URL") is { } url ? new Server(url, run.Job.Name) : source;

    private async Task DropScratchAsync(Server proving)
    {
        await using var admin = await proving.OpenAsync(null, run.Stopping);
        if (await Scratch.DropLeftoversAsync(proving, admin, run) is > 0 and var dropped)
        {
            run.Counters.Add("scratch_databases_dropped", dropped);
        }
    }

    private async Task<Backup> MakeAndProveAsync(
        Shelf shelf, Server source, Server proving, NpgsqlConnection connection, string snapshot, Backup planned, Cipher? cipher, PostgresPrograms programs)
    {
        var location = shelf.Store.UrlOf(planned.File);
        var verification = new Verification(run, shelf.Store, programs, proving);
        // Without the key here, what is dumped is restored before it is encrypted: it is the only moment in which it can be.
        await using var scratch = cipher is { Decrypting: null }
            ? await verification.ScratchAsync((planned.Encoding, planned.Collation, planned.CharacterType), run.Stopping) : null;
        await using var restore = scratch is null ? null : Restore.Into(scratch, programs, toProve: true);
        await using var end = restore?.Program.EndWith(run.Stopping) ?? default;

        // After the snapshot: a database that is restored from this dump must not take it for something left behind.
        await _rows.BeginAsync(planned.Name, location, run.Id);
        var clock = Stopwatch.StartNew();
        var written = await new Dump(run, shelf.Store, programs, cipher).WriteAsync(
            planned.File, source, connection, snapshot, restore, () => _rows.MayBePlacedAsync(planned.Name), run.Stopping)
            ?? throw new OperatorException("another run took this one for dead and removed what it had begun; the next run makes a backup");
        await connection.DisposeAsync();
        await shelf.Store.RemoveUnfinishedAsync(planned.File, run.Stopping);
        run.Log.LogDumped(location, written.Bytes, Math.Round(clock.Elapsed.TotalSeconds, 1));
        var backup = planned with { FinishedAt = DateTime.UtcNow, SizeBytes = written.Bytes, Sha256 = written.Sha256 };
        await RecordAsync(shelf, backup);
        run.Counters.Add("backups");
        run.Counters.Add("bytes", written.Bytes);

        return await ProveAsync(shelf, backup, async () =>
        {
            if (restore is null)
            {
                return await verification.ProveAsync(backup, cipher, run.Stopping);
            }

            var took = await restore.EndAsync(run.Stopping);
            await verification.CompareAsync(backup.Facts, scratch!, run.Stopping);
            await verification.ReadAsync(backup, run.Stopping);
            return Verification.Proven(backup, took,
                $"restored into a scratch database before it was encrypted, every table and promise counted; then read back from where it is kept: its checksum; not decrypted, for the key is not here ({cipher!.Name})");
        });
    }

    private async Task RecordAsync(Shelf shelf, Backup backup)
    {
        await shelf.WriteAsync(backup, run.Aborting);
        try
        {
            await _rows.WriteAsync(backup, shelf.Store.UrlOf(backup.File));
        }
        catch (NpgsqlException e) when (IsOutsideLedger(options))
        {
            // The database is perhaps what was lost.
            run.Log.LogNotRecorded(backup.Name, e.Message);
        }
    }

    /// <summary>Whatever comes of it, the manifest says so.</summary>
    private async Task<Backup> ProveAsync(Shelf shelf, Backup backup, Func<Task<Backup>> prove)
    {
        run.Counters.Add("verified", 0);
        try
        {
            var proven = await prove();
            await RecordAsync(shelf, proven);
            run.Counters.Add("verified");
            run.Counters.Add("rows", proven.Facts.Rows);
            run.Counters.Add("restore_ms", (long)(proven.RestoreSeconds!.Value * 1000));
            run.Log.LogVerified(proven.Name, Math.Round(proven.RestoreSeconds.Value, 1), proven.Facts.Rows, proven.Facts.Tables.Count);
            return proven;
        }
        catch (DamagedException e) when (!run.Stopping.IsCancellationRequested)
        {
            await RecordAsync(shelf, backup with { VerifiedAt = null, RestoreSeconds = null, Proof = null, Error = e.Message });
            throw new OperatorException($"the backup is not verified: {e.Message}", e);
        }
    }

    /// <summary>Only with a new verified one there; a backup's row tells before its files go.</summary>
    private async Task RetainAsync(Shelf shelf, IReadOnlyList<Backup> backups)
    {
        var retention = new Retention(options.Get(KeepDaily)!.Value, options.Get(KeepWeekly)!.Value, options.Get(KeepMonthly)!.Value);
        foreach (var backup in retention.Superfluous(backups, BusinessZone.From(settings)).Where(b => b.RunId != run.Id))
        {
            run.Stopping.ThrowIfCancellationRequested();
            if (!run.DryRun)
            {
                await _rows.DeletedAsync(backup.Name);
                await shelf.RemoveAsync(backup.Name, [backup.File, Backup.ChecksumOf(backup.File)], run.Aborting);
            }

            run.Counters.Add("deleted");
            Tell(backup, "deleted");
        }
    }

    private async Task ListAsync(Shelf shelf)
    {
        foreach (var backup in await shelf.BackupsAsync(run.Stopping))
        {
            run.Counters.Add(backup.Error is not null ? "damaged" : backup.VerifiedAt is null ? "unverified" : "verified");
            Tell(backup, backup.Error is not null ? "damaged" : backup.VerifiedAt is null ? "unverified" : "verified");
        }
    }

    private async Task VerifyAsync(Shelf shelf, Server source)
    {
        var backup = await shelf.FindAsync(options.Get(Chosen), run.Stopping);
        var cipher = Cipher.Of(backup, settings);
        var proving = Proving(source);
        PostgresPrograms programs;
        await using (var server = await proving.OpenAsync(null, run.Stopping))
        {
            programs = await PostgresPrograms.FindAsync(options.Get(PgBin), server.PostgreSqlVersion, run.Stopping);
        }

        if (run.DryRun)
        {
            Tell(backup, "verified");
            return;
        }

        await DropScratchAsync(proving);
        var verification = new Verification(run, shelf.Store, programs, proving);
        if (cipher is { Decrypting: null })
        {
            await verification.ReadAsync(backup, run.Stopping);
            throw new OperatorException(
                $"{backup.Name} has its checksum, but it cannot be restored here: set BACKUP_AGE_IDENTITY_FILE to the file with the identity that decrypts it");
        }

        Tell(await ProveAsync(shelf, backup, () => verification.ProveAsync(backup, cipher, run.Stopping)), "verified");
    }

    private void Tell(Backup backup, string outcome) =>
        run.Item(
            backup.Name,
            outcome,
            ("file", backup.File),
            ("taken_at", backup.TakenAt),
            ("bytes", backup.SizeBytes),
            ("rows", backup.Facts.Rows),
            ("sha256", backup.Sha256),
            ("verified_at", backup.VerifiedAt),
            ("restore_seconds", backup.RestoreSeconds?.ToString("0.0", CultureInfo.InvariantCulture)),
            ("proof", backup.Proof),
            ("error", backup.Error));
}
