using Jobs.Testing;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Rig;

/// <summary>Tests of the proxy itself: a small table, and connections to it by way of the proxy.</summary>
public abstract class BehindProxy(PostgresFixture fixture) : IAsyncLifetime
{
    private ThrowawayPostgres _postgres = null!;
    private string _database = "";

    protected ThrowawayPostgres Postgres => _postgres;
    protected string Database => _database;
    private protected PostgresProxy Proxy { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        _postgres = await fixture.ServerAsync();
        Assert.SkipWhen(_postgres.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        _database = await _postgres.CreateDatabaseAsync();
        await _postgres.ExecuteAsync(_database, "CREATE TABLE marks (id int PRIMARY KEY, note text)");
        Proxy = await PostgresProxy.StartAsync(_postgres.Host, _postgres.Port);
    }

    public async ValueTask DisposeAsync()
    {
        if (Proxy is not null)
            await Proxy.DisposeAsync();
        if (_database.Length > 0)
            await _postgres.DropDatabaseAsync(_database);
        GC.SuppressFinalize(this);
    }

    private protected Task<NpgsqlConnection> OpenAsync() => OpenAsync(Proxy);

    private protected async Task<NpgsqlConnection> OpenAsync(PostgresProxy proxy)
    {
        var settings = _postgres.ConnectionFor(_database);
        (settings.Host, settings.Port, settings.Pooling, settings.SslMode) = ("127.0.0.1", proxy.Port, false, SslMode.Prefer);
        (settings.Timeout, settings.CommandTimeout) = (30, 30);
        // Npgsql's first connection to a database asks for its types: a round trip that would be in the way here.
        var connection = new NpgsqlConnection(settings.ConnectionString + ";Server Compatibility Mode=NoTypeLoading");
        await connection.OpenAsync();
        return connection;
    }
}
