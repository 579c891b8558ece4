using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Jobs.Billing;
using Jobs.Database;
using Jobs.Runs;
using Npgsql;

namespace Jobs.Counter;

/// <param name="View">The last that was seen.</param>
/// <param name="LostSince">Since when nothing newer could be seen; null: it is as it stands.</param>
/// <param name="Error">Why, in one sentence.</param>
/// <param name="At">The time: the database's, or this machine's while it is away.</param>
internal sealed record Sight(CounterView View, DateTime At, DateTime? LostSince = null, string? Error = null)
{
    public Sight(CounterView view)
        : this(view, view.Now)
    {
    }
}

/// <summary>
/// Looks again when PostgreSQL tells of a change on the channel payment_updates, and every 2 seconds besides: behind PgBouncer in
/// transaction mode nobody is told, and ages tick. A burst of changes is one look. A database that goes away is waited for.
/// </summary>
internal sealed class Updates(ToolRun run, BusinessZone zone)
{
    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan BeforeReconnecting = TimeSpan.FromMilliseconds(500);

    private readonly Channel<bool> _told = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Ends when it is stopped.</summary>
    public async IAsyncEnumerable<Sight> SightsAsync(CounterView first, [EnumeratorCancellation] CancellationToken stopping)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var listening = ListenAsync(ending.Token);
        var sight = new Sight(first);
        try
        {
            do
            {
                yield return sight;
                sight = await NextAsync(sight, stopping) ?? sight;
            }
            while (!stopping.IsCancellationRequested);
        }
        finally
        {
            await ending.CancelAsync();
            await listening;
        }
    }

    /// <returns>Null when stopped.</returns>
    private async Task<Sight?> NextAsync(Sight last, CancellationToken stopping)
    {
        try
        {
            await Task.Delay(Between, stopping);
            await ToldOrSlowAsync(stopping);
            return await LookAsync(last, stopping);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task ToldOrSlowAsync(CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(Slow);
        try
        {
            // Taken before looking: what is told during the look leads to another.
            await _told.Reader.ReadAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            // Nobody told us anything.
        }
    }

    private async Task<Sight> LookAsync(Sight last, CancellationToken stopping)
    {
        // A pooled connection may have died unnoticed; a fresh one says more.
        for (var again = false; ; again = true)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
            limit.CancelAfter(Patience);
            try
            {
                // Npgsql asks a silent server to cancel, and waits for that as well: whoever looks does not.
                return new(await LookAsync(limit.Token).WaitAsync(limit.Token));
            }
            catch (Exception e) when (!stopping.IsCancellationRequested && (Db.IsPassing(e) || e is NpgsqlException or OperationCanceledException))
            {
                if (again || e is OperationCanceledException)
                {
                    var why = e is OperationCanceledException ? "the database does not answer" : run.Sentence(e);
                    return last with { At = DateTime.UtcNow, LostSince = last.LostSince ?? last.View.Now, Error = why };
                }
            }
        }
    }

    private async Task<CounterView> LookAsync(CancellationToken limit)
    {
        await using var connection = await run.Source.OpenConnectionAsync(limit);
        await using var transaction = await connection.BeginTransactionAsync(limit);
        var tx = new Tx(connection, transaction, "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = 5000;\n", readOnly: true, repetition: false, limit);
        var view = await CounterView.ReadAsync(tx, zone);
        await transaction.CommitAsync(limit);
        return view;
    }

    private async Task ListenAsync(CancellationToken ending)
    {
        await using var source = run.ListeningSource();
        while (!ending.IsCancellationRequested)
        {
            try
            {
                await using var connection = await source.OpenConnectionAsync(ending);
                await using (var listen = new NpgsqlCommand("LISTEN payment_updates", connection))
                {
                    await listen.ExecuteNonQueryAsync(ending);
                }

                // What changed before was told to nobody.
                do
                {
                    _told.Writer.TryWrite(true);
                    await connection.WaitAsync(ending);
                }
                while (true);
            }
            catch (Exception) when (ending.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is NpgsqlException or IOException or System.Net.Sockets.SocketException or TimeoutException)
            {
                // The looks say what is wrong.
                await Task.Delay(BeforeReconnecting, ending).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }
}
