using Npgsql;

namespace Jobs.Testing;

/// <summary>A server found or started, and what may be done to it.</summary>
internal abstract class RunningServer : IAsyncDisposable
{
    /// <summary>Connects the administrator to the maintenance database.</summary>
    public required NpgsqlConnectionStringBuilder Admin { get; init; }

    /// <summary>One line for the tests' output.</summary>
    public required string Description { get; init; }

    /// <summary>Set when stopping and starting is not ours to do: the reason, for skipped tests.</summary>
    public virtual string? WhyNoRestart => null;

    public virtual string WhyNoTls => "the server was started without TLS";

    public string? BinDirectory { get; init; }

    public string? SocketDirectory { get; init; }

    public string? RootCertificatePath { get; init; }

    public virtual Task StopAsync(bool immediate, CancellationToken cancel) => throw new InvalidOperationException(WhyNoRestart);

    public virtual Task StartAsync(CancellationToken cancel) => throw new InvalidOperationException(WhyNoRestart);

    public abstract ValueTask DisposeAsync();

    /// <summary>Pools of its own are the caller's business; ours would only keep a template busy.</summary>
    protected static NpgsqlConnectionStringBuilder Loopback(int port, string password) => new()
    {
        Host = "127.0.0.1",
        Port = port,
        Username = "postgres",
        Password = password,
        Database = "postgres",
        GssEncryptionMode = GssEncryptionMode.Disable,
        IncludeErrorDetail = true,
    };
}
