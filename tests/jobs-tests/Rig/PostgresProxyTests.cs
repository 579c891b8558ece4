using Dapper;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Rig;

[Trait("Category", "Proof")]
public sealed class PostgresProxyTests(PostgresFixture fixture) : BehindProxy(fixture)
{
    [Fact]
    public async Task Every_round_trip_is_counted_and_named()
    {
        await using var connection = await OpenAsync();
        Assert.Equal(1, Proxy.RoundTrips);

        await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        Assert.Equal(2, await connection.ExecuteScalarAsync<int>("SELECT id + 1 FROM marks"));

        Assert.Equal(["1 [1] connect", "2 [1] INSERT INTO marks VALUES (1, 'a')", "3 [1] SELECT id + 1 FROM marks"], Proxy.Log.Select(trip => trip.ToString()));
    }

    [Fact]
    public async Task A_transaction_is_its_begin_its_statements_and_its_commit()
    {
        await using var connection = await OpenAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        await transaction.CommitAsync();

        Assert.Equal(4, Proxy.RoundTrips);
        Assert.StartsWith("BEGIN", Proxy.Log[1].Sql, StringComparison.Ordinal);
        Assert.Equal("COMMIT", Proxy.Log[3].Sql);
    }

    [Theory]
    [InlineData(Phase.Before, 0)]
    [InlineData(Phase.After, 1)]
    public async Task Statements_that_travel_together_are_one_round_trip(Phase phase, int rows)
    {
        Proxy.StopAt(3, phase);
        var program = RunAsync(async () =>
        {
            await using var connection = await OpenAsync();
            await using var transaction = await connection.BeginTransactionAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (@id, 'a'); COMMIT", new { id = 1 });
        });

        await ReachedAsync(program);

        Assert.Equal("INSERT INTO marks VALUES ($1, 'a');\nCOMMIT", Proxy.Log[2].Step);
        Assert.Equal(rows, await CountAsync());
        Proxy.DropAll();
        Assert.IsType<NpgsqlException>(await program, exactMatch: false);
    }

    [Theory]
    [InlineData(Phase.Before, 0)]
    [InlineData(Phase.After, 1)]
    public async Task A_held_round_trip_waits_alone_and_goes_on_when_let_go(Phase phase, int rows)
    {
        Proxy.HoldAt("INSERT INTO marks VALUES (1, 'a')", 1, phase);
        await using var connection = await OpenAsync();
        var held = connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        await Proxy.Held.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await using var other = await OpenAsync();
        await CountIsAsync(rows);
        Assert.Equal(1, await other.ExecuteScalarAsync<int>("SELECT 1"));
        Assert.False(held.IsCompleted);

        Proxy.LetGo();
        Assert.Equal(1, await held);
        Assert.Equal(1, await CountAsync());
    }

    // What the server was sent a moment ago it may still be doing.
    private Task CountIsAsync(int rows) => Eventually.HoldsAsync(async () => await CountAsync() == rows, what: $"{rows} rows");

    [Fact]
    public async Task Connecting_need_not_count()
    {
        await using var proxy = await PostgresProxy.StartAsync(Postgres.Host, Postgres.Port, countStartup: false);
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
        Proxy.StopAt(n, phase);
        var program = RunAsync(async () =>
        {
            await using var connection = await OpenAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')");
        });

        await ReachedAsync(program);

        Assert.Equal(rows, await CountAsync());
        Assert.Equal(n, Proxy.RoundTrips);
        Proxy.DropAll();
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
        Proxy.StopAt(n, phase);
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
        await Postgres.ExecuteAsync(Database, "SET lock_timeout = '1s'; TRUNCATE marks");
    }

    [Fact]
    public async Task Once_stopped_no_other_connection_is_heard_either()
    {
        await using var other = await OpenAsync();
        await using var connection = await OpenAsync();
        Proxy.StopAt(3, Phase.After);
        var first = RunAsync(() => connection.ExecuteAsync("INSERT INTO marks VALUES (1, 'a')"));
        await ReachedAsync(first);

        var second = RunAsync(() => other.ExecuteAsync("INSERT INTO marks VALUES (2, 'b')"));
        var third = RunAsync(() => OpenAsync());
        await Task.Delay(200);

        Assert.Equal(1, await CountAsync());
        Assert.False(first.IsCompleted || second.IsCompleted || third.IsCompleted);
        Proxy.Reset();
        Assert.NotNull(await second);
        await using var again = await OpenAsync();
        Assert.Equal(1, Proxy.RoundTrips);
        Assert.False(Proxy.Reached.IsCompleted);
    }

    [Fact]
    public async Task Many_connections_share_one_count()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(async id =>
        {
            await using var connection = await OpenAsync();
            await connection.ExecuteAsync("INSERT INTO marks VALUES (@id, 'x')", new { id });
        }));

        Assert.Equal(16, Proxy.RoundTrips);
        Assert.Equal(Enumerable.Range(1, 16), Proxy.Log.Select(trip => trip.Number));
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
        Assert.Equal(4, Proxy.RoundTrips);
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

        Proxy.DropAll();

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.ExecuteAsync("SELECT 1"));
        await using var again = await OpenAsync();
        Assert.Equal(1, await again.ExecuteScalarAsync<int>("SELECT 1"));
    }

    [Fact]
    public async Task A_pause_holds_everything_back()
    {
        await using var connection = await OpenAsync();

        Proxy.Pause();
        var waiting = connection.ExecuteScalarAsync<int>("SELECT 7");
        await Task.Delay(150);
        Assert.False(waiting.IsCompleted);
        Proxy.Resume();

        Assert.Equal(7, await waiting);
    }

    private async Task<int> CountAsync()
    {
        await using var connection = new NpgsqlConnection(Postgres.ConnectionFor(Database).ConnectionString + ";Pooling=false");
        return await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks");
    }

    private async Task ReachedAsync(Task program)
    {
        await Proxy.Reached.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.False(program.IsCompleted, "the program learnt of the stop");
    }

    private static Task<Exception?> RunAsync(Func<Task> program) => Record.ExceptionAsync(() => Task.Run(program)).AsTask();
}
