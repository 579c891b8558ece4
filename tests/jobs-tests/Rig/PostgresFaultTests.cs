using Dapper;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Rig;

/// <summary>What a client hears of a fault, and what the server has done by then.</summary>
[Trait("Category", "Proof")]
public sealed class PostgresFaultTests(PostgresFixture fixture) : BehindProxy(fixture)
{
    private const string Insert = "INSERT INTO marks VALUES (1)";

    [Theory]
    [InlineData("before", 0)]
    [InlineData("after", 1)]
    [InlineData("within", 1)]
    public async Task A_cut_connection_has_done_all_or_nothing_and_the_next_one_works(string where, int rows)
    {
        var fault = where switch { "before" => PostgresFault.CutBefore, "after" => PostgresFault.CutAfter, _ => PostgresFault.CutWithin };
        await using var other = await OpenAsync();
        Proxy.BreakAt(Insert, 1, fault);
        await using var connection = await OpenAsync();

        var e = await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.ExecuteAsync(Insert));

        Assert.True(e.InnerException is IOException, e.ToString());
        Assert.Equal(1, Proxy.Broken);
        Assert.Equal(rows, await other.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
        await using var next = await OpenAsync();
        Assert.Equal(rows, await next.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
    }

    [Fact]
    public async Task All_connections_can_be_cut_at_once()
    {
        await using var other = await OpenAsync();
        Proxy.BreakAt(Insert, 1, PostgresFault.CutAfter with { Everywhere = true });
        await using var connection = await OpenAsync();

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => connection.ExecuteAsync(Insert));

        await Assert.ThrowsAnyAsync<NpgsqlException>(() => other.ExecuteAsync("SELECT 1"));
    }

    [Fact]
    public async Task An_error_leaves_the_transaction_failed_on_both_sides()
    {
        Proxy.BreakAt(Insert, 1, PostgresFault.Error("40P01"));
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
        Proxy.BreakAt($"COMMIT of {Insert}", 1, PostgresFault.Error("40001"));

        Assert.Equal("40001", (await Assert.ThrowsAsync<PostgresException>(() => transaction.CommitAsync())).SqlState);

        Assert.Equal(0, await connection.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
    }

    [Theory]
    [InlineData(Phase.Before, 0)]
    [InlineData(Phase.After, 1)]
    public async Task A_server_that_shuts_down_says_so_and_hangs_up(Phase phase, int rows)
    {
        Proxy.BreakAt(Insert, 1, PostgresFault.Error("57P01", phase));
        await using var connection = await OpenAsync();

        Assert.Equal("57P01", (await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert))).SqlState);

        await using var next = await OpenAsync();
        Assert.Equal(rows, await next.ExecuteScalarAsync<int>("SELECT count(*)::int FROM marks"));
    }

    [Fact]
    public async Task A_fault_that_lasts_is_met_again_and_one_that_does_not_is_met_once()
    {
        Proxy.BreakAt(Insert, 1, PostgresFault.Error("55P03") with { Lasts = true });
        await using var connection = await OpenAsync();
        for (var time = 1; time <= 3; time++)
            await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert));
        Assert.Equal(3, Proxy.Broken);

        Proxy.BreakAt(Insert, 1, PostgresFault.Error("55P03"));
        await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert));
        Assert.Equal(1, await connection.ExecuteAsync(Insert));
    }

    [Fact]
    public async Task Something_can_be_done_while_a_round_trip_is_held_up()
    {
        Proxy.BreakAt(Insert, 1, new PostgresFault(Phase.Before)
        {
            GoesOn = true,
            Meanwhile = () => Postgres.ExecuteAsync(Database, "INSERT INTO marks VALUES (1)"),
        });
        await using var connection = await OpenAsync();

        Assert.Equal("23505", (await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(Insert))).SqlState);
    }
}
