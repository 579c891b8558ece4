using System.Collections.Concurrent;
using Jobs.Runs;
using Microsoft.Extensions.Logging;

namespace Jobs.Mail;

/// <summary>Mail by SMTP over a few connections, opened when they are needed and used again.</summary>
public sealed class SmtpTransport(SmtpUrl url, int connections, ILogger log) : IMailTransport
{
    private readonly ConcurrentBag<SmtpConnection> _idle = [];
    private readonly SemaphoreSlim _places = new(connections);
    private int _open;

    public async Task<Delivery> DeliverAsync(OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation)
    {
        await _places.WaitAsync(cancellation);
        try
        {
            while (true)
            {
                var used = _idle.TryTake(out var connection);
                connection ??= await OpenAsync(cancellation);
                if (connection is not null && await TryAsync(connection, used, mail, handOver, cancellation) is { } delivery)
                {
                    return delivery;
                }
            }
        }
        finally
        {
            _places.Release();
        }
    }

    /// <returns>Null: the server takes no more connections than are open, and one of those is free now.</returns>
    private async Task<SmtpConnection?> OpenAsync(CancellationToken cancellation)
    {
        try
        {
            var connection = await SmtpConnection.OpenAsync(url, cancellation);
            Interlocked.Increment(ref _open);
            return connection;
        }
        catch (StopRunException e) when (Volatile.Read(ref _open) > 0)
        {
            log.LogInformation("The mail server takes no further connection: {Reason}", e.Message);
            // The place taken before stays taken, so that nobody tries again.
            await _places.WaitAsync(cancellation);
            return null;
        }
    }

    /// <returns>Null: the server had closed a connection that was used before, which is not this mail's fault.</returns>
    private async Task<Delivery?> TryAsync(
        SmtpConnection connection, bool used, OutgoingMail mail, Func<Task<bool>> handOver, CancellationToken cancellation)
    {
        var handedOver = false;
        try
        {
            var delivery = await connection.DeliverAsync(mail, () => { handedOver = true; return handOver(); }, cancellation);
            return used && !handedOver && connection.Broken && delivery.Outcome == DeliveryOutcome.Deferred ? null : delivery;
        }
        finally
        {
            if (connection.IsUsable)
            {
                _idle.Add(connection);
            }
            else
            {
                Interlocked.Decrement(ref _open);
                await connection.DisposeAsync();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_idle.Select(c => c.DisposeAsync().AsTask()));
        _places.Dispose();
    }
}
