using Dapper;
using Jobs.Testing;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Rig;

public sealed class PostgresProxyTests(PostgresFixture fixture) : IAsyncLifetime
{
    private ThrowawayPostgres _postgres = null!;
    private PostgresProxy _proxy = null!;
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        _postgres = await fixture.ServerAsync();
        Assert.SkipUnless(!_postgres.Host.StartsWith('/'), "the proxy speaks TCP, and the server is on a socket");
        _database = await _postgres.CreateDatabaseAsync();
        await _postgres.ExecuteAsync(_database, "CREATE TABLE marks (id int PRIMARY KEY, note text)");
        _proxy = await PostgresProxy.StartAsync(_postgres.Host, _postgres.Port);
    }

    public async ValueTask DisposeAsync()
    {
        if (_proxy is not null)
            await _proxy.DisposeAsync();
        if (_database.Length > 0)
            await _postgres.DropDatabaseAsync(_database);
    }

    [Fact]
    public async Task Every_round_trip_is_counted_and_named()
    {
        await using var connection = await OpenAsync();
        Assert.Equal(1, _proxy.RoundTrips);

        await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        Assert.Equal(2, await connection.ExecuteScalarAsync<int>("SELECT id + 1 FROM marks"));

        Assert.Equal(["1 [1] connect", "2 [1] INSERT INTO marks VALUES (1, 'a')", "3 [1] SELECT id + 1 FROM marks"], _proxy.Log.Select(trip => trip.ToString()));
    }

    [Fact]
    public async Task A_transaction_is_its_begin_its_statements_and_its_commit()
    {
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        await transaction.CommitAsync();

        Assert.Equal(4, _proxy.RoundTrips);
        Assert.StartsWith("BEGIN", _proxy.Log[1].Sql, StringComparison.Ordinal);
        Assert.Equal("COMMIT", _proxy.Log[3].Sql);
    }

    [Theory]
    [InlineData(Phase.Before, 0)]
    [InlineData(Phase.After, 1)]
    public async Task Statements_that_travel_together_are_one_round_trip(Phase phase, int rows)
    {
        _proxy.StopAt(3, phase);
        var program = RunAsync(async () =>
        {
            await using var connection = await OpenAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (@id, 'a'); COMMIT", new { id = 1 });
        });

        await ReachedAsync(program);

        Assert.Equal("INSERT INTO marks VALUES ($1, 'a');\nCOMMIT", _proxy.Log[2].Step);
        Assert.Equal(rows, await CountAsync());
        _proxy.DropAll();
        Assert.IsType<NpgsqlException>(await program, exactMatch: false);
    }

    [Theory]
    [InlineData(Phase.Before, 0)]
    [InlineData(Phase.After, 1)]
    public async Task A_held_round_trip_waits_alone_and_goes_on_when_let_go(Phase phase, int rows)
    {
        _proxy.HoldAt("INSERT INTO marks VALUES (1, 'a')", 1, phase);
        await using var connection = await OpenAsync();
        var held = connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        await _proxy.Held.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await using var other = await OpenAsync();
        await CountIsAsync(rows);
        Assert.Equal(1, await other.ExecuteScalarAsync<int>("SELECT 1"));
        Assert.False(held.IsCompleted);

        _proxy.LetGo();
        Assert.Equal(1, await held);
        Assert.Equal(1, await CountAsync());
    }

    // What the server was sent a moment ago it may still be doing.
    private async Task CountIsAsync(int rows)
    {
        for (var clock = System.Diagnostics.Stopwatch.StartNew(); await CountAsync() != rows && clock.Elapsed < TimeSpan.FromSeconds(10);)
            await Task.Delay(10);
        Assert.Equal(rows, await CountAsync());
    }

    [Fact]
    public async Task Connecting_need_not_count()
    {
        await using var proxy = await PostgresProxy.StartAsync(_postgres.Host, _postgres.Port, countStartup: false);
        await using var connection = await OpenAsync(proxy);
        await connection.ExecuteAsync("SELECT 1");

        Assert.Equal(1, proxy.RoundTrips);
    }

    [Theory]
    [InlineData(1, Phase.Before, 0)]
    [InlineData(1, Phase.After, 0)]
    [InlineData(2, Phase.Before, 0)]
    [InlineData(2, Phase.After, 1)]
    public async Task A_single_statement_has_happened_after_its_round_trip_and_not_before(int n, Phase phase, int rows)
    {
        _proxy.StopAt(n, phase);
        var program = RunAsync(async () =>
        {
            await using var connection = await OpenAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        });

        await ReachedAsync(program);

        Assert.Equal(rows, await CountAsync());
        Assert.Equal(n, _proxy.RoundTrips);
        _proxy.DropAll();
        Assert.IsType<NpgsqlException>(await program, exactMatch: false);
    }

    [Theory]
    [InlineData(2, Phase.Before, 0)]
    [InlineData(2, Phase.After, 0)]
    [InlineData(3, Phase.Before, 0)]
    [InlineData(3, Phase.After, 0)]
    [InlineData(4, Phase.Before, 0)]
    [InlineData(4, Phase.After, 1)]
    public async Task A_transaction_has_happened_only_after_its_commit(int n, Phase phase, int rows)
    {
        _proxy.StopAt(n, phase);
        var program = RunAsync(async () =>
        {
            await using var connection = await OpenAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
            await transaction.CommitAsync();
        });

        await ReachedAsync(program);

        Assert.Equal(rows, await CountAsync());
        // Nothing is locked any more: the server has rolled back.
        await _postgres.ExecuteAsync(_database, "SET lock_timeout = '1s'; TRUNCATE marks");
    }

    [Fact]
    public async Task Once_stopped_no_other_connection_is_heard_either()
    {
        await using var other = await OpenAsync();
        await using var connection = await OpenAsync();
        _proxy.StopAt(3, Phase.After);
        var first = RunAsync(() => connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')"));
        await ReachedAsync(first);

        var second = RunAsync(() => other.ExecuteAsync("INSERT INTO marks VALUES (2, 'b')"));
        var third = RunAsync(() => OpenAsync());
        await Task.Delay(200);

        Assert.Equal(1, await CountAsync());
        Assert.False(first.IsCompleted || second.IsCompleted || third.IsCompleted);
        _proxy.Reset();
        Assert.NotNull(await second);
        await using var again = await OpenAsync();
        Assert.Equal(1, _proxy.RoundTrips);
        Assert.False(_proxy.Reached.IsCompleted);
    }

    [Fact]
    public async Task Many_connections_share_one_count()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async id =>
        {
            await using var connection = await OpenAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (@id, 'x')", new { id });
        }));

        Assert.Equal(16, _proxy.RoundTrips);
        Assert.Equal(Enumerable.Range(1, 16), _proxy.Log.Select(trip => trip.Number));
        Assert.Equal(8, await CountAsync());
    }

    [Fact]
    public async Task Large_messages_pass_in_both_directions()
    {
        var note = new string('é', 3_000_000);
        await using var connection = await OpenAsync();
        await connection.ExecuteAsync("INSERT INTO marks VALUES (1, @note)", new { note });

        Assert.Equal(note, await connection.ExecuteScalarAsync<string>("SELECT note FROM marks"));
        Assert.Equal(200_000, (await connection.QueryAsync<int>("SELECT generate_series(1, 200000)")).Count());
        Assert.Equal(4, _proxy.RoundTrips);
    }

    [Fact]
    public async Task An_error_is_an_answer_too()
    {
        await using var connection = await OpenAsync();

        await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync("SELECT 1/0"));

        Assert.Equal(1, await connection.ExecuteScalarAsync<int>("SELECT 1"));
    }

    [Fact]
    public async Task Connections_can_be_cut_and_made_anew()
    {
        await using var connection = await OpenAsync();

        _proxy.DropAll();

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.ExecuteAsync("SELECT 1"));
        await using var again = await OpenAsync();
        Assert.Equal(1, await again.ExecuteScalarAsync<int>("SELECT 1"));
    }

    [Fact]
    public async Task A_pause_holds_everything_back()
    {
        await using var connection = await OpenAsync();

        _proxy.Pause();
        var waiting = connection.ExecuteScalarAsync<int>("SELECT 7");
        await Task.Delay(150);
        Assert.False(waiting.IsCompleted);
        _proxy.Resume();

        Assert.Equal(7, await waiting);
    }

    private Task<NpgsqlConnection> OpenAsync() => OpenAsync(_proxy);

    private async Task<NpgsqlConnection> OpenAsync(PostgresProxy proxy)
    {
        var settings = _postgres.ConnectionFor(_database);
        (settings.Host, settings.Port, settings.Pooling, settings.SslMode) = ("127.0.0.1", proxy.Port, false, SslMode.Prefer);
        (settings.Timeout, settings.CommandTimeout) = (30, 30);
        // Npgsql's first connection to a database asks for its types: a round trip that would be in the way here.
        var connection = new NpgsqlConnection(settings.ConnectionString + ";Server Compatibility Mode=NoTypeLoading");
        await connection.OpenAsync();
        return connection;
    }

    private async Task<int> CountAsync()
    {
        await using var connection = new NpgsqlConnection(_postgres.ConnectionFor(_database).ConnectionString + ";Pooling=false");
        return await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks");
    }

    private async Task ReachedAsync(Task program)
    {
        await _proxy.Reached.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.False(program.IsCompleted, "the program learnt of the stop");
    }

    private static Task<Exception?> RunAsync(Func<Task> program) => Record.ExceptionAsync(() => Task.Run(program)).AsTask();
}
