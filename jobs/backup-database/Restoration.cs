using System.Globalization;
using Jobs.Runs;
using Npgsql;

namespace Jobs;

/// <summary>
/// A backup becomes a database. It is restored under a name that nobody connects to, compared with what was dumped, and the jobs that
/// charge, ask terminals or mail are paused in it; only then it gets its name. What the provider was told since the backup, it does not know.
/// </summary>
internal sealed class Restoration(JobRun run, Settings settings, Shelf shelf, Server source, string? pgBin)
{
    /// <summary>Charging, terminal and mail jobs. Those that ask the provider before they write go on: they are what catches up.</summary>
    private static readonly string[] Paused = ["autopayment", "process-payment-queue", "renewal-reminder", "send-notifications"];

    private const string Pause =
        """
        INSERT INTO job_pauses AS p (job, reason, actor)
        SELECT job, @Reason, 'backup-database' FROM unnest(@Jobs) AS job
        ON CONFLICT (job) DO UPDATE SET reason = excluded.reason || '; before that: ' || p.reason, until = NULL, actor = excluded.actor
        """;

    // Runs under way at the moment of the dump are none of this database's.
    private const string Forget = "DELETE FROM backups WHERE finished_at IS NULL; DELETE FROM leases";

    private const string Exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = @Name)";

    public async Task RunAsync(string target, string? name)
    {
        var isUrl = target.Contains("://", StringComparison.Ordinal) || target.Contains('=', StringComparison.Ordinal);
        var server = isUrl ? new Server(target, run.Job.Name) : source;
        var database = isUrl ? server.Database : target;
        var backup = await shelf.FindAsync(name, run.Stopping);
        if (backup.Error is not null)
        {
            throw new OperatorException($"{backup.Name} is no good ({backup.Error}); choose another with --backup");
        }

        var admin = await server.OpenMaintenanceAsync(run.Stopping);
        PostgresPrograms programs;
        try
        {
            programs = await PostgresPrograms.FindAsync(pgBin, admin.PostgreSqlVersion, run.Stopping);
            await RefuseFullAsync(server, admin, database);
            await Scratch.DropLeftoversAsync(server, admin, run);
        }
        catch
        {
            await admin.DisposeAsync();
            throw;
        }

        if (run.DryRun)
        {
            await admin.DisposeAsync();
            Tell(backup, database);
            return;
        }

        await using var scratch = await Scratch.CreateAsync(
            server, admin, "restore", run.Id, (backup.Encoding, backup.Collation, backup.CharacterType), run.Stopping);
        var verification = new Verification(run, shelf.Store, programs, server);
        var took = await verification.RestoreAsync(backup, Cipher.Of(backup, settings), scratch, toProve: false, run.Stopping);
        await verification.CompareAsync(backup.Facts, scratch, run.Stopping);
        await PauseAsync(scratch, backup);
        await RefuseFullAsync(server, admin, database);
        await scratch.BecomeAsync(
            database, string.Create(CultureInfo.InvariantCulture, $"Restored by backup-database from {backup.Name}, {DateTime.UtcNow:u}"), run.Stopping);
        run.Counters.Add("restored");
        run.Counters.Add("rows", backup.Facts.Rows);
        run.Counters.Add("restore_ms", (long)took.TotalMilliseconds);
        run.Log.LogPaused(database, backup.Name, string.Join(", ", Paused));
        Tell(backup, database);
    }

    private async Task RefuseFullAsync(Server server, NpgsqlConnection admin, string database)
    {
        if (!await Server.ScalarAsync<bool>(admin, Exists, run.Stopping, ("Name", database)))
        {
            return;
        }

        await using var connection = await server.OpenAsync(database, run.Stopping);
        if (await Scratch.RelationsAsync(connection, run.Stopping) is > 0 and var relations)
        {
            throw new OperatorException(
                $"the database {database} holds {relations} tables, views and sequences and is left alone; restore under another name, or rename it first (ALTER DATABASE ... RENAME TO ...)");
        }
    }

    /// <summary>Before anybody can connect: it is still a scratch database.</summary>
    private async Task PauseAsync(Scratch scratch, Backup backup)
    {
        await using var connection = await scratch.OpenAsync(run.Stopping);
        await using (var pause = new NpgsqlCommand(Pause, connection))
        {
            pause.Parameters.AddWithValue("Reason", string.Create(
                CultureInfo.InvariantCulture, $"restored from the backup of {backup.TakenAt:u}: resume when match-successful-payments has caught up"));
            pause.Parameters.AddWithValue("Jobs", Paused);
            await pause.ExecuteNonQueryAsync(run.Stopping);
        }

        await Server.ExecuteAsync(connection, Forget, run.Stopping);
        await Server.ExecuteAsync(connection, "ANALYZE", run.Stopping);
    }

    private void Tell(Backup backup, string database) =>
        run.Item(
            backup.Name, "restored", ("database", database), ("taken_at", backup.TakenAt), ("rows", backup.Facts.Rows), ("paused", string.Join(' ', Paused)));
}
