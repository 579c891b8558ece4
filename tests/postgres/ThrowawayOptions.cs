namespace Jobs.Testing;

/// <summary>How a throw-away server is set up. The defaults suit tests: fast, plain TCP, nothing survives a power cut.</summary>
public sealed record ThrowawayOptions
{
    /// <summary>Keeps fsync, synchronous commit and full page writes as in production. For benchmarks.</summary>
    public bool Durable { get; init; }

    /// <summary>Turns TLS on, with a certificate for <c>localhost</c> and <c>127.0.0.1</c> signed by a root of its own.</summary>
    public bool Tls { get; init; }

    /// <summary>Ignores <c>JOBS_TEST_DATABASE_URL</c>: for measurements and tests that need a server nobody else uses.</summary>
    public bool OwnServer { get; init; }
}

/// <summary>What a test may need and not every server offers.</summary>
public enum Capability
{
    /// <summary>The server may be stopped and started: it is ours alone.</summary>
    Restart,

    /// <summary>TLS is on and <see cref="ThrowawayPostgres.RootCertificatePath"/> is set.</summary>
    Tls,

    /// <summary>The server listens on <see cref="ThrowawayPostgres.SocketDirectory"/> as well.</summary>
    UnixSocket,

    /// <summary>psql, pg_dump and pg_restore of the server's own version lie in <see cref="ThrowawayPostgres.BinDirectory"/>.</summary>
    ClientPrograms,

    /// <summary>The administrator is a superuser and may create roles.</summary>
    Superuser,
}
