using Jobs.Database;
using Jobs.Runs;
using Jobs.SumUp;
using Microsoft.Extensions.Logging;

namespace Jobs.Terminals;

/// <summary>A reader that nothing holds.</summary>
public sealed class FreeTerminal
{
    public long Id { get; init; }
    public string Name { get; init; } = "";
    public string ProviderReaderId { get; set; } = "";
    public string? Serial { get; init; }
    public string Status { get; init; } = "";

    /// <summary>Nobody has asked for it to be left alone longer.</summary>
    public bool Due { get; init; }
}

/// <summary>
/// The readers of `payment_terminals` as SumUp sees them: online or not, busy with something that is not ours, or paired anew under
/// another id. Only rows there are used: another reader of the account may stand in another shop.
/// </summary>
public sealed class TerminalRoster(SumUpClient sumUp, Db db, JobRun run)
{
    private static readonly TimeSpan AskBusyAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AskOfflineAfter = TimeSpan.FromSeconds(30);

    private const string Free =
        """
        SELECT t.id, t.name, t.provider_reader_id, t.serial, t.status, coalesce(t.retry_at <= clock_timestamp(), true) AS due
        FROM payment_terminals AS t
        WHERE t.provider_reader_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM terminal_attempts AS a WHERE a.terminal_id = t.id AND a.settled_at IS NULL)
          AND NOT EXISTS (SELECT FROM payment_queue AS q WHERE q.terminal_id = t.id AND q.status IN ('processing', 'unknown'))
        ORDER BY t.id
        """;

    /// <summary>The readers that no payment of ours holds.</summary>
    public Task<List<FreeTerminal>> FreeAsync() => db.TransactionAsync(tx => tx.QueryAsync<FreeTerminal>(Free), run.Aborting);

    /// <summary>Asks about these readers and writes down what is said.</summary>
    /// <returns>Those that can take a payment, in their order; and the last trouble, when the provider did not answer about one.</returns>
    public async Task<(List<FreeTerminal> Ready, SumUpException? Trouble)> RefreshAsync(IEnumerable<FreeTerminal> terminals)
    {
        var ready = new List<FreeTerminal>();
        var paired = new Lazy<Task<IReadOnlyList<Reader>>>(() => sumUp.ListReadersAsync(run.Aborting));
        SumUpException? trouble = null;
        foreach (var terminal in terminals)
        {
            try
            {
                if (await AskAsync(terminal, paired))
                {
                    ready.Add(terminal);
                }
            }
            catch (SumUpException e)
            {
                trouble = e;
            }
        }

        return (ready, trouble);
    }

    /// <returns>Whether it can take a payment.</returns>
    private async Task<bool> AskAsync(FreeTerminal terminal, Lazy<Task<IReadOnlyList<Reader>>> paired)
    {
        var status = await sumUp.FindReaderStatusAsync(terminal.ProviderReaderId, run.Aborting);
        if (status is null || terminal.Serial is null)
        {
            if (Paired(await paired.Value, terminal) is { } reader)
            {
                await KnowAsync(terminal, reader);
                if (reader.Id != terminal.ProviderReaderId)
                {
                    run.Log.LogWarning("{Terminal} was paired anew: {Reader} instead of {Old}", terminal.Name, reader.Id, terminal.ProviderReaderId);
                    terminal.ProviderReaderId = reader.Id;
                    status = await sumUp.FindReaderStatusAsync(reader.Id, run.Aborting);
                }
            }
            else if (status is null)
            {
                await WriteAsync(terminal, "offline", AskOfflineAfter, "not_paired", seen: false);
                return false;
            }
        }

        // Old firmware answers no question about its status; then the checkout itself tells.
        var (now, retry, error) = status switch
        {
            null => ("available", null, ""),
            { IsOnline: false } => ("offline", AskOfflineAfter, "offline"),
            { State: null or "IDLE" } => ("available", null, ""),
            _ => ("busy", (TimeSpan?)AskBusyAfter, "in_use_elsewhere"),
        };
        await WriteAsync(terminal, now, retry, error, status is { IsOnline: true });
        return now == "available";
    }

    /// <summary>Under its id or, when that is gone, under its serial: pairing a device again gives it another id.</summary>
    private static Reader? Paired(IReadOnlyList<Reader> readers, FreeTerminal terminal) =>
        readers.FirstOrDefault(r => r.Id == terminal.ProviderReaderId && r.Status != "expired")
        ?? readers.FirstOrDefault(r => r.Status == "paired" && terminal.Serial is { } serial && r.Serial == serial);

    private const string Know =
        """
        UPDATE payment_terminals AS t
        SET provider_reader_id = @ReaderId, serial = coalesce(@Serial, t.serial), updated_at = clock_timestamp()
        WHERE t.id = @Id AND (t.provider_reader_id, t.serial) IS DISTINCT FROM (@ReaderId, coalesce(@Serial, t.serial))
          AND NOT EXISTS (SELECT FROM payment_terminals AS other WHERE other.id <> t.id AND (other.serial = @Serial OR other.provider_reader_id = @ReaderId))
        """;

    private Task KnowAsync(FreeTerminal terminal, Reader reader) =>
        run.DryRun ? Task.CompletedTask : db.TransactionAsync(tx => tx.ExecuteAsync(Know, new { terminal.Id, ReaderId = reader.Id, reader.Serial }), run.Aborting);

    // Written when it says something new, so that nobody is told of nothing; a minute's silence is not worth a row.
    private const string Write =
        """
        UPDATE payment_terminals AS t
        SET status = @status, retry_at = clock_timestamp() + @retry::interval, last_error = @error,
            last_seen_at = CASE WHEN @seen THEN clock_timestamp() ELSE t.last_seen_at END, updated_at = clock_timestamp()
        WHERE t.id = @Id
          AND (t.status <> @status OR t.last_error <> @error OR t.retry_at IS NOT NULL OR @retry::interval IS NOT NULL
               OR (@seen AND coalesce(t.last_seen_at, '-infinity') < clock_timestamp() - interval '50 seconds'))
          AND NOT EXISTS (SELECT FROM terminal_attempts AS a WHERE a.terminal_id = t.id AND a.settled_at IS NULL)
        """;

    private Task WriteAsync(FreeTerminal terminal, string status, TimeSpan? retry, string error, bool seen) =>
        run.DryRun
            ? Task.CompletedTask
            : db.TransactionAsync(tx => tx.ExecuteAsync(Write, new { terminal.Id, status, retry, error, seen }), run.Aborting);
}
