using System.Data;
using System.Diagnostics;
using System.Globalization;
using Jobs.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Jobs.Database;

/// <summary>
/// The database as a run sees it: short transactions with time-outs, repeated when bad luck (a restart, a deadlock, a
/// serialization failure) undid them. A transaction may therefore run more than once, also after a commit whose answer
/// was lost: its work must be a compare-and-set.
/// </summary>
/// <param name="source">The database.</param>
/// <param name="readOnly">Whether PostgreSQL is to refuse every write.</param>
/// <param name="log">Speaks of repetitions.</param>
/// <param name="first">A connection that is being opened already, while the rest of the run is set up.</param>
public sealed class Db(NpgsqlDataSource source, bool readOnly, ILogger<Db> log, Task<NpgsqlConnection>? first = null) : IAsyncDisposable
{
    private const int Attempts = 7;

    /// <summary>A server that answered and is away comes back: a restart with its recovery, a failover to a standby.</summary>
    private static readonly TimeSpan PatienceWithRestart = TimeSpan.FromSeconds(60);

    private Task<NpgsqlConnection>? _first = first;
    private bool _answered;

    /// <summary>For an application: the source stays its own, so it need not dispose of this.</summary>
    public Db(NpgsqlDataSource source)
        : this(source, readOnly: false, NullLogger<Db>.Instance)
    {
    }

    static Db() => Dapper.DefaultTypeMap.MatchNamesWithUnderscores = true;

    /// <summary>A dry run's: PostgreSQL refuses every write.</summary>
    public bool ReadOnly { get; } = readOnly;

    public Task<T> TransactionAsync<T>(Func<Tx, Task<T>> work, CancellationToken cancellation) =>
        TransactionAsync(work, TimeSpan.FromSeconds(30), cancellation);

    public Task TransactionAsync(Func<Tx, Task> work, CancellationToken cancellation) =>
        RepeatAsync(work, TimeSpan.FromSeconds(30), cancellation);

    /// <param name="statementTimeout">Longest time of one statement; bulk batches need more than the usual 30 s.</param>
    public async Task<T> TransactionAsync<T>(Func<Tx, Task<T>> work, TimeSpan statementTimeout, CancellationToken cancellation)
    {
        Task<T>? done = null;
        await RepeatAsync(tx => done = work(tx), statementTimeout, cancellation);
        return await done!;
    }

    private async Task RepeatAsync(Func<Tx, Task> work, TimeSpan statementTimeout, CancellationToken cancellation)
    {
        using var span = Spans.Transaction();
        var begun = Stopwatch.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await OnceAsync(work, statementTimeout, attempt > 1, cancellation);
                return;
            }
            catch (Exception e) when (!cancellation.IsCancellationRequested && IsPassing(e)
                && (attempt < Attempts || (_answered && IsAway(e) && Stopwatch.GetElapsedTime(begun) < PatienceWithRestart)))
            {
                // 0.1, 0.2 ... 3.2 s, each shortened at random so that two runs do not meet again.
                var delay = TimeSpan.FromSeconds(0.1 * (1 << (Math.Min(attempt, Attempts - 1) - 1)) * (0.5 + Random.Shared.NextDouble() / 2));
                // Until it answered once, a database that cannot be reached is the caller's one sentence, not a row of warnings.
                log.Log(_answered ? LogLevel.Warning : LogLevel.Debug, "Transaction undone ({Reason}); again in {Delay} ms", Describe(e), (int)delay.TotalMilliseconds);
                await Task.Delay(delay, cancellation);
            }
        }
    }

    private async Task OnceAsync(Func<Tx, Task> work, TimeSpan statementTimeout, bool repetition, CancellationToken cancellation)
    {
        await using var connection = await OpenAsync(cancellation);
        await using var transaction = await connection.BeginTransactionAsync(cancellation);
        _answered = true;
        var tx = new Tx(connection, transaction, TransactionSettings(statementTimeout), ReadOnly, repetition, cancellation);
        await work(tx);
        if (!tx.Committed)
        {
            // Not cancellable: a commit on its way is better awaited than left in doubt.
            await transaction.CommitAsync(CancellationToken.None);
        }
    }

    private async Task<NpgsqlConnection> OpenAsync(CancellationToken cancellation)
    {
        var opening = Interlocked.Exchange(ref _first, null) ?? source.OpenConnectionAsync(cancellation).AsTask();
        try
        {
            // A server that accepts and stays silent keeps Npgsql from hearing the cancellation until its own time-out.
            return await opening.WaitAsync(cancellation);
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or NpgsqlException { InnerException: ArgumentOutOfRangeException })
        {
            // Npgsql's patience ends at a time of day: when the clock is put back by weeks meanwhile, it is longer than any timer can wait.
            return await source.OpenConnectionAsync(cancellation).AsTask().WaitAsync(cancellation);
        }
    }

    // Per transaction, not per session: behind PgBouncer a session setting would leak to strangers. Who is frozen in the middle
    // of one loses it before those that wait for its locks have spent their attempts (7 times 5 s, and the pauses).
    private string TransactionSettings(TimeSpan statementTimeout) => string.Create(
        CultureInfo.InvariantCulture,
        $"""
        {(ReadOnly ? "SET TRANSACTION READ ONLY;" : "")}
        SET LOCAL statement_timeout = {(int)statementTimeout.TotalMilliseconds};
        SET LOCAL lock_timeout = 5000;
        SET LOCAL idle_in_transaction_session_timeout = 20000;

        """);

    /// <summary>Bad luck that a repetition may escape, as opposed to an error in data or SQL.</summary>
    public static bool IsPassing(Exception e) => e switch
    {
        // A row that breaks off while its columns are read: Dapper wraps what happened.
        DataException { InnerException: { } inner } => IsPassing(inner),
        PostgresException p => p.SqlState is PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected
                or PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
                or PostgresErrorCodes.CannotConnectNow or PostgresErrorCodes.TooManyConnections
                or "25P03"
            || p.SqlState.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException n => n.IsTransient || n.InnerException is IOException or System.Net.Sockets.SocketException or TimeoutException
            || n.InnerException is AggregateException { InnerExceptions: var ofHosts } && ofHosts.Any(IsPassing),
        _ => false,
    };

    /// <summary>The server takes no writes, whoever asks: it says nothing about the item under way, and no repetition helps.</summary>
    public static bool TakesNoWrites(Exception e) =>
        e is PostgresException { SqlState: PostgresErrorCodes.DiskFull or PostgresErrorCodes.ReadOnlySqlTransaction };

    /// <summary>Nobody there, or somebody who is only starting or ending; as opposed to one who refuses this transaction.</summary>
    private static bool IsAway(Exception e) => e switch
    {
        DataException { InnerException: { } inner } => IsAway(inner),
        PostgresException p => p.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown or PostgresErrorCodes.CannotConnectNow,
        _ => e is NpgsqlException { InnerException: IOException or System.Net.Sockets.SocketException or AggregateException },
    };

    private static string Describe(Exception e) => e is PostgresException p ? $"{p.SqlState} {p.MessageText}" : e.Message;

    public ValueTask DisposeAsync() => source.DisposeAsync();
}
