using Jobs.Database;
using Jobs.Runs;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Jobs;

/// <summary>
/// Applies the scripts that the database lacks, each in a transaction of its own together with its journal entry: killed
/// anywhere, a script is applied wholly or not at all. Two at once queue up script by script. A busy table is waited for
/// in short turns, so that the queue behind our lock stays short, too. An applied script that was edited is refused.
/// </summary>
public sealed class Migrate(JobRun run, Db db, JobOptions options, Settings settings, ProgramContext context) : IJob
{
    public static readonly JobOption<bool> Status = new(
        "--status", "", "List the scripts and whether they are applied; change nothing.", OptionValue.Flag, false);

    // As one text in PostgreSQL's hands: an error's position is then the script's, and a COMMIT within it is refused.
    private const string Execute = "DO $$ BEGIN EXECUTE current_setting('jobs.script'); END $$";

    private static readonly TimeSpan LongestStatement = TimeSpan.FromMinutes(30);

    public async Task RunAsync()
    {
        var scripts = Script.All(settings.Optional("JOBS_MIGRATIONS_DIR"));
        var journal = await db.TransactionAsync(Journal.ReadAsync, run.Aborting);
        RefuseEdited(scripts, journal);
        if (options.Get(Status) || run.DryRun)
        {
            List(scripts, journal);
            return;
        }

        run.Counters.Add("applied", 0);
        foreach (var script in scripts.Where(s => journal.All(j => j.Name != s.Name)))
        {
            if (run.Stopping.IsCancellationRequested)
            {
                return;
            }

            if (await ApplyPatientlyAsync(script))
            {
                run.Counters.Add("applied");
                run.Log.LogInformation("Applied {Script}", script.Name);
            }
        }
    }

    private static void RefuseEdited(IReadOnlyList<Script> scripts, IReadOnlyList<Journal.Entry> journal)
    {
        var edited = scripts.FirstOrDefault(s => journal.Any(j => j.Name == s.Name && j.Sha256 is not null && j.Sha256 != s.Sha256));
        if (edited is not null)
        {
            throw new OperatorException(
                $"the script {edited.Name} was edited after it was applied; restore it as it was and put the change into a new script");
        }
    }

    private void List(IReadOnlyList<Script> scripts, IReadOnlyList<Journal.Entry> journal)
    {
        var text = run.Options.Output == OutputFormat.Text;
        foreach (var script in scripts)
        {
            var applied = journal.FirstOrDefault(j => j.Name == script.Name)?.Applied;
            run.Counters.Add(applied is null ? "pending" : "applied");
            run.Item(script.Name, applied is null ? "pending" : "applied", ("applied_at", applied));
            if (text)
            {
                context.Output.WriteLine(applied is null ? $"pending  {script.Name}" : $"applied  {script.Name}  {applied:yyyy-MM-dd HH:mm:ss} UTC");
            }
        }

        foreach (var unknown in journal.Where(j => scripts.All(s => s.Name != j.Name)))
        {
            run.Counters.Add("unknown");
            run.Log.LogWarning("The database has {Script}, which this version does not know; it is newer", unknown.Name);
        }
    }

    private async Task<bool> ApplyPatientlyAsync(Script script)
    {
        while (true)
        {
            try
            {
                return await db.TransactionAsync(tx => ApplyAsync(tx, script), LongestStatement, run.Aborting);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.LockNotAvailable && !run.Stopping.IsCancellationRequested)
            {
                run.Log.LogWarning("{Script} waits for a busy table or another `migrate`", script.Name);
            }
            catch (PostgresException e) when (!Db.IsPassing(e) && !Db.TakesNoWrites(e) && e.SqlState != PostgresErrorCodes.InsufficientPrivilege)
            {
                throw new OperatorException(
                    $"the script {script.Name} failed and was rolled back: {e.SqlState} {e.MessageText}{(e.InternalQuery == script.Sql && e.InternalPosition > 0 ? $" (line {Line(script.Sql, e.InternalPosition)})" : "")}", e);
            }
        }
    }

    /// <returns>False when another runner applied it meanwhile.</returns>
    private static async Task<bool> ApplyAsync(Tx tx, Script script)
    {
        await Journal.LockAsync(tx);
        await Journal.CreateAsync(tx);
        if ((await Journal.ReadAsync(tx)).Any(j => j.Name == script.Name))
        {
            return false;
        }

        await tx.ExecuteAsync("SELECT set_config('jobs.script', @Sql, true)", new { script.Sql });
        await tx.ExecuteAsync(Execute);
        await Journal.AddAsync(tx, script);
        return true;
    }

    private static int Line(string sql, int position) => 1 + sql.AsSpan(0, Math.Min(position, sql.Length)).Count('\n');
}
