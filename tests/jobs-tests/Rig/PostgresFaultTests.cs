using Dapper;
using Jobs.Testing;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Rig;

/// <summary>What a client hears of a fault, and what the server has done by then.</summary>
public sealed class PostgresFaultTests(PostgresFixture fixture) : IAsyncLifetime
{
    private const string Insert = "INSERT INTO marks VALUES (1)";

    private ThrowawayPostgres _postgres = null!;
    private PostgresProxy _proxy = null!;
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        _postgres = await fixture.ServerAsync();
        Assert.SkipWhen(_postgres.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        _database = await _postgres.CreateDatabaseAsync();
        await _postgres.ExecuteAsync(_database, "CREATE TABLE marks (id int PRIMARY KEY)");
        _proxy = await PostgresProxy.StartAsync(_postgres.Host, _postgres.Port);
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await _proxy.DisposeAsync();
        if (_database.Length > 0)
            await _postgres.DropDatabaseAsync(_database);
    }

    [Theory]
    [InlineData("before", 0)]
    [InlineData("after", 1)]
    [InlineData("within", 1)]
    public async Task A_cut_connection_has_done_all_or_nothing_and_the_next_one_works(string where, int rows)
    {
        var fault = where switch { "before" => PostgresFault.CutBefore, "after" => PostgresFault.CutAfter, _ => PostgresFault.CutWithin };
        await using var other = await OpenAsync();
        _proxy.BreakAt(Insert, 1, fault);
        await using var connection = await OpenAsync();

        var e = await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.ExecuteAsync(Insert));

        Assert.True(e.InnerException is IOException, e.ToString());
        Assert.Equal(1, _proxy.Broken);
        Assert.Equal(rows, await other.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
        await using var next = await OpenAsync();
        Assert.Equal(rows, await next.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
    }

    [Fact]
    public async Task All_connections_can_be_cut_at_once()
    {
        await using var other = await OpenAsync();
        _proxy.BreakAt(Insert, 1, PostgresFault.CutAfter with { Everywhere = true });
        await using var connection = await OpenAsync();

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.ExecuteAsync(Insert));

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => other.ExecuteAsync("SELECT 1"));
    }

    [Fact]
    public async Task An_error_leaves_the_transaction_failed_on_both_sides()
    {
        _proxy.BreakAt(Insert, 1, PostgresFault.Error("40P01"));
        await using var connection = await OpenAsync();
        await using (var transaction = await connection.BeginTransactionAsync())
        {
            Assert.Equal("40P01", (await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert))).SqlState);
            Assert.Equal("25P02", (await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync("SELECT 1"))).SqlState);
        }

        Assert.Equal(0, await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
        Assert.Equal(1, await connection.ExecuteAsync(Insert));
    }

    [Fact]
    public async Task A_commit_that_fails_has_rolled_back()
    {
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync(Insert);
        _proxy.BreakAt($"COMMIT of {Insert}", 1, PostgresFault.Error("40001"));

        Assert.Equal("40001", (await Assert.ThrowsAsync<PostgresException>(() => transaction.CommitAsync())).SqlState);

        Assert.Equal(0, await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
    }

    [Theory]
    [InlineData(Phase.Before, 0)]
    [InlineData(Phase.After, 1)]
    public async Task A_server_that_shuts_down_says_so_and_hangs_up(Phase phase, int rows)
    {
        _proxy.BreakAt(Insert, 1, PostgresFault.Error("57P01", phase));
        await using var connection = await OpenAsync();

        Assert.Equal("57P01", (await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert))).SqlState);

        await using var next = await OpenAsync();
        Assert.Equal(rows, await next.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
    }

    [Fact]
    public async Task A_fault_that_lasts_is_met_again_and_one_that_does_not_is_met_once()
    {
        _proxy.BreakAt(Insert, 1, PostgresFault.Error("55P03") with { Lasts = true });
        await using var connection = await OpenAsync();
        for (var time = 1; time <= 3; time++)
            await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert));
        Assert.Equal(3, _proxy.Broken);

        _proxy.BreakAt(Insert, 1, PostgresFault.Error("55P03"));
        await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert));
        Assert.Equal(1, await connection.ExecuteAsync(Insert));
    }

    [Fact]
    public async Task Something_can_be_done_while_a_round_trip_is_held_up()
    {
        _proxy.BreakAt(Insert, 1, new PostgresFault(Phase.Before)
        {
            GoesOn = true,
            Meanwhile = () => _postgres.ExecuteAsync(_database, "INSERT INTO marks VALUES (1)"),
        });
        await using var connection = await OpenAsync();

        Assert.Equal("23505", (await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert))).SqlState);
    }

    private async Task<NpgsqlConnection> OpenAsync()
    {
        var settings = _postgres.ConnectionFor(_database);
        (settings.Host, settings.Port, settings.Pooling) = ("127.0.0.1", _proxy.Port, false);
        var connection = new NpgsqlConnection(settings.ConnectionString + ";Server Compatibility Mode=NoTypeLoading");
        await connection.OpenAsync();
        return connection;
    }
}
