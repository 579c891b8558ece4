using Jobs.Database;
using Jobs.Tests.Rig;
using Npgsql;
using Xunit;

namespace Jobs.Tests.Database;

/// <summary>Rows become objects by Dapper's rules, without code made at run time.</summary>
public sealed class RowReaderTests(PostgresFixture fixture)
{
    private enum Color
    {
        Red,
        Green,
    }

    private sealed class Properties
    {
        public long PaymentId { get; init; }
        public int? Attempts { get; init; }
        public decimal Share { get; init; }
        public string Name { get; init; } = "as it was";
        public Color Color { get; init; }
        public Guid Key { get; init; }
        public DateTime? At { get; init; }
        public string[] Tags { get; init; } = [];
    }

    private sealed record Positional(long Id, string? Name, int? Count);

    private sealed class Hidden
    {
        private Hidden()
        {
        }

        public int Value { get; private set; }
    }

    private async Task<List<T>> RowsAsync<T>(string sql)
    {
        await using var world = await fixture.WorldAsync();
        await using var source = NpgsqlDataSource.Create(world.Server.ConnectionFor(world.Database));
        return await new Db(source).TransactionAsync(tx => tx.QueryAsync<T>(sql), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Columns_are_properties_with_or_without_underscores_and_convert_as_Dapper_converts()
    {
        var row = Assert.Single(await RowsAsync<Properties>(
            """
            SELECT 7::int AS payment_id, 3::bigint AS attempts, 5::int AS share, NULL::text AS name, 'green' AS color, 'no property' AS other,
                   '01a22455-0d70-78db-8cda-4092ac781e96'::uuid AS key, '2026-03-29T01:30:00Z'::timestamptz AS at, ARRAY['a', 'b'] AS tags
            """));

        Assert.Equal((7, 3, 5m, "as it was", Color.Green), (row.PaymentId, row.Attempts, row.Share, row.Name, row.Color));
        Assert.Equal((Guid.Parse("01a22455-0d70-78db-8cda-4092ac781e96"), new DateTime(2026, 3, 29, 1, 30, 0, DateTimeKind.Utc)), (row.Key, row.At));
        Assert.Equal(["a", "b"], row.Tags);
    }

    [Fact]
    public async Task A_record_is_made_by_its_constructor_nulls_included() =>
        Assert.Equal(
            [new Positional(1, "ada", 2), new Positional(2, null, null)],
            await RowsAsync<Positional>("SELECT * FROM (VALUES (1::bigint, 'ada', 2), (2, NULL, NULL)) AS v (id, name, count)"));

    [Theory]
    [InlineData("2.7::numeric", 2)]
    [InlineData("-2.7::double precision", -2)]
    public async Task What_is_no_whole_number_is_cut_and_not_rounded(string number, int whole) =>
        Assert.Equal(whole, Assert.Single(await RowsAsync<Hidden>($"SELECT {number} AS value")).Value);

    [Fact]
    public async Task What_only_the_class_itself_may_make_and_set_is_read_as_well() =>
        Assert.Equal(5, Assert.Single(await RowsAsync<Hidden>("SELECT 5 AS value")).Value);

    [Fact]
    public async Task A_row_that_fits_no_constructor_says_so()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => RowsAsync<Positional>("SELECT 1::bigint AS id"));
        Assert.Equal("Positional has no constructor for the columns id", e.Message);
    }

    [Fact]
    public async Task One_value_a_row_is_that_value()
    {
        Assert.Equal([1, null], await RowsAsync<long?>("SELECT * FROM (VALUES (1::bigint), (NULL)) AS v"));
        Assert.Equal(["x"], await RowsAsync<string>("SELECT 'x'"));
    }
}
